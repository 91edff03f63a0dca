"""ORC files to read: of pyarrow, of Java's library, and with footers that no library writes."""

import base64
import io
import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.orc

from r2d2.model import Table
from tests.support.formats.one_table import batches, the_table

# Written by ORC's Java library 2.3, which a test cannot count on; see each test for what.
JAVA = {
    "date_hybrid": "c-r$1au#G@;9?VE;b0D6&;~MvxtJLk7=(B@n6212{%?^GU<zOmXJE)<Vw0+800AaPkOmGm0R{<fFw"
    "H0-0i+p$G@lR?2Lli@83L7vae>X`;zKqmg0GW-frD8fT#5@wDogMwC~Gh)ad7YmF)~UqrYJFS@Eb5&fi+s8X>^$2="
    "fM!cn8a$NXRK$y;V!@`(a<2E#Kgd(A#K3f^o5z(Kgd}e0Hcl>f&",
    "date_proleptic": "c-r$1au#G@;9?VE;b0D6&;~MvxtJLk7=(B@n6212CT^7wU<zOmXJE)<Vw0N400K;oAPpRB0t^z|"
    "V46`v0!T9gX+9w)4hA4*G6X6S;{uz>#fNNC1Yaiu0|&D}xD*$VRF>dVP}X2p;^5#BVq}zJOi^Ou;5T5l0&BEF)95h4&"
    "x0X?DT&oc&sfiZ!(D(?qM<=RiHU(nL)w6|=?gQne~_~{03#k4P5",
    "timestamp_new_york": "c-r$1au#G@;9?VE;ouKo@B}iIxY!uLKuCgv-%ChhddIn)Ki@MeG<3{w*|eP5fH8n!HUmQi"
    "AIpNj3V)fh)l%vi-#Q*|WV~jb@}F_TJV{0%A@QHFo8ioVM&*es=QDiz;U~|q(o=?!LAZWu0E6gfW&;M%Pp3XGh^*h6z"
    "_jyXSAr-5gCB!FE08$H#83)y4hNe6g9JC2W|U9|(u_bl07$a}X<i{F4hA4*k`i#tO)bhyPSp2HEsu}PFUp2^0PGhoDO"
    "}Evh+WLUz`-nVo>7VmNEu1QD%fi9D{*k}2r)8BF_tJXac~;&TY*in!effV1V0ak2*xB<BRyk11C9^@R*8lN0VO5|9u0"
    "K^&ZaNS%>F^n;s80tSAP",
    "timestamp_utc": "c-r$1au#G@;9?VE;b043@CGuKx!4%MKuD5<%}ZFKvEkj<H<K6@zBPXNHX+vF+6U<X21f>l3RZ@d"
    "p3?srM2lG%Agq<1GK`GZIKBTfZZTf--;{x&j1^>z)xC@rKuRBi<!wP?(I6{1*aR3PxWP1|ga(ji1kym;Iaq<TtPm3i0}"
    "wMwF^7gYL)-;+B9}ByS4B81Wnkc77Ffn8#Ra5{B^(qCG}x3lICz8@8KoFYl$ba;4cM%}##rGq#$ke=2SWs7604D(v7P}"
    "(r~s=(LxX@469bQih5={O7iMPvAZKv^^Oi<9",
    "union": "c-m!7Jxc>Y5PdU~+uLknST{w6Xc4YD5aMC5@Tx#SEYuvSt`=+s3n69j7l^fmKS1nK`5UbLBenrIiG?2nGx"
    "Ods^X5%wlU=}>(6CZrFT$1+09$?#d3Vd(mV>d*cT_8k;=Jb)tRr+RW!BL=&|JAf6Ig+e0;lvEPv;Shv3LaX<>6{jC5("
    "nRV~vNlNIk2H?#BUn(v;PRHX>s$Y64quENt-h@_aJrKFRw<etR9?7jEM)ZpK=tuJhAhZJht@s&*fM6~Cmui*2gC!Fev"
    "3we3LEr@PG9oxm&^+jXXelpFo>Tfh9HU;fh{KU|)nrmN&=I2soA#wWU1_>9rckBjF0r^s|R>3somBPu2",
    "char": "c-r$1au#G@;9?VE;b0D6a0N0IxL6rLKuDZ}SxJzKHBkWwgxC(R1kn--0St-^3}7*cNMcfQN-8G<gBw#=Kp@"
    "B@4mJS>32rdWD4`0Z8G*DgkY)nX>_SW&3_#4}4pgeh1-6t+5{E?*Qi~ZFIG6=0q_}{jfrONTwg$5j2M3Q3Bcl{!vJwl2"
    "paQD_vlZABE8M0yOz`tyh+s@&HPSQIGvEjjV3lZS5Kv-b;L%Vs;B5NB%<LcJEDiv}Vk2h",
}


def java(lake: Path, name: str) -> Table:
    """The table of one file that Java wrote."""
    (lake / "t.orc").write_bytes(zlib.decompress(base64.b85decode(JAVA[name])))
    return the_table(lake)


def orc_bytes(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pa.orc.write_table(table, sink, **options)
    return sink.getvalue()


def write(lake: Path, table: pa.Table, **options: Any) -> Table:
    (lake / "t.orc").write_bytes(orc_bytes(table, **options))
    return the_table(lake)


def rows(lake: Path, table: Table) -> list[dict[str, Any]]:
    assert table.problem is None
    return [row for batch in batches(lake, table) for row in batch.to_pylist()]


def with_footer(data: bytes, change: Any) -> bytes:
    """An uncompressed file with another footer, as a foreign writer might have written it."""
    postscript = data[-1 - data[-1] : -1]
    size_bytes, rest = number_at(postscript, 1)
    end = len(data) - 1 - len(postscript)
    footer = change(data[end - size_bytes : end])
    postscript = b"\x08" + varint(len(footer)) + postscript[rest:]
    return data[: end - size_bytes] + footer + postscript + bytes([len(postscript)])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def number_at(message: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        number |= (message[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if message[at - 1] < 128:
            return number, at


def varint(number: int) -> bytes:
    return bytes([number & 127 | 128]) + varint(number >> 7) if number > 127 else bytes([number])
