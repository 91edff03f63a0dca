"""Hashes of the cases in test_golden_hashes.py, by HASH_VERSION."""

GOLDEN: dict[int, dict[str, tuple[str, ...]]] = {
    1: {
        "null": ("7b1b1f0ad4bda0594d77ab5f6f5cb4d0",),
        "bool": (
            "df6067c5bac11f8cee8c5a1d7079f925",
            "f77fa0381fc1157840699fa432626978",
            "605ae7c43d12b15670632f0781521c35",
        ),
        "int8": (
            "5b2460aeefa5129225a3fb154b0cb0da",
            "058d4f94747831474615b725bae8b51b",
            "facadd1bbdf64a2a5d5c6361074af4e5",
            "584d1bad03d9f23947767a06b26edf45",
        ),
        "uint64": ("4fc64bd47235e0988bff26b5c29e6805", "f675230cccdc0f6020d9ad3043bb7872"),
        "float32": (
            "259d785a60be9ea5eea3a559969acdae",
            "0cbe2c41025eee864f3abedfe229aeb4",
            "682392d461f0cf051dc5e2b53934d3f9",
            "7ea2ea9fb31ed2fd84caed315bf9da51",
        ),
        "float64": (
            "20a9602bb42b779cd953d6f589e35da7",
            "fae4f106da5e61f4f98445a1d2368840",
            "b72f1d22ae396aef688c1f78110842a7",
        ),
        "date": (
            "6a9962f5a1da50b2ac57fd4209824fbd",
            "c4ebb5cb9895d1d60d13d7197a204d8e",
            "c66b893f8d7945d4e69a5c2a102715d7",
        ),
        "date inside a day": (
            "9587deaabffcfe2ab4fb32e96bf02b25",
            "9fd1134fdf3d37c10772a1814f7adf77",
        ),
        "time": ("38685de118fbef82805f7399e33fa9a3", "ee176b51f65e05b466df26afe41fa5a9"),
        "timestamp": (
            "b3222d523281896c7bc118cd68904fc5",
            "f0bf5fb3e8b44f0228c172b134e412d9",
            "3b6efa6604ae761ee0dba4133a37b182",
        ),
        "milliseconds": ("3f7d5aee830a06cf9231ef5c990f0de9",),
        "nanoseconds": (
            "94e3a2322154563b1c12eff47454dd63",
            "0ee80917900e3ee83d54d51728645e05",
            "83e8066f4e526e1caac147fa933a70bf",
            "626775b7d1a1383fec6bc57dbccc1a9d",
        ),
        "decimal": ("be951c2008fe6cfac7fdd336129d78b3", "9b0b0006b0c38b800bf72e60104d3812"),
        "wide decimal": ("a88f92da6b83926c5b4eaefbcb81e0dd",),
        "string": (
            "4fa2af1c07d6b996e044bfda84d67b16",
            "43a1b75bf95f0e213ef800808386be68",
            "6861737e84068a847ac84721cce01b8c",
            "c10b81d899306a485beea35779979da2",
            "f0ce919483803d77273bafca902799bb",
        ),
        "binary": ("e53235a5ccdafb07cb19e954b9942a55", "9e61931c43db7b9104537a5361568357"),
        "list": (
            "b8f23700a8ccff8c0a30928d782c6352",
            "17cd4042f4d56535c9a95416662b0197",
            "888d21c4484963c7a9b6961dc1523432",
            "459dcff37fccc0de431c685dcdb0a5e0",
        ),
        "map": ("c1f7fc7e0b96500bbeabdb6724d48376",),
        "struct": ("64ed73fe5b2e5f908ed5566902eef427",),
        "number, int": (
            "adc61d7e97fed7af93c22e8ad6251bac",
            "fe9f2b97e42fb3a2c41f621330a7ac8a",
            "4619210f97bdee1b21b03af1b85266d9",
        ),
        "number, unsigned": ("ffab456fbd870d52b645dab564a28951",),
        "number, double": (
            "adc61d7e97fed7af93c22e8ad6251bac",
            "a1e6592258a7317e3e40567a066c1444",
            "9d0754a15d670c31c7bba8f85e4d5bb3",
            "ffab456fbd870d52b645dab564a28951",
        ),
        "number, decimal": (
            "bfc39ff7dc2f54e79a8e46a83815a0e2",
            "adc61d7e97fed7af93c22e8ad6251bac",
            "1903c54dabc41a6e1345e23fd3167afa",
            "0dac22d29d6db7d534ae9f70a29bd716",
            "20e7607407b87ac419d104f330d531f7",
            "20c61ead948ea8b46f37fe021c0addf5",
        ),
        "number, big": ("08a53af76df077745342b0a8a82764c6",),
        "number, big fraction": ("a6a9133b1ad49b92d3d1be0bf49a23f6",),
        "many strings": (
            "43a1b75bf95f0e213ef800808386be68",
            "1f3a9182b012aa4d77e0c57e3486e587",
            "f0ce919483803d77273bafca902799bb",
        ),
        "row": ("ad1a50a673c1f9d3fbc22b155ddbb859", "4ecf98c33ca473e9fc1b01fbefbe426b"),
    }
}
