"""The `tidegate` command's subcommands, one module each; `tidegate.cli` puts them together."""
