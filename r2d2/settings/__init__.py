"""Settings from TOML files, the environment and flags."""
