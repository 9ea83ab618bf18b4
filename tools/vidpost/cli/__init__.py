"""The command line. Subcommands are loaded when they are called."""
