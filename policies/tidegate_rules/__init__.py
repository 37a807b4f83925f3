"""The rules, one module per family. Plain functions: importing them starts no policy server."""
