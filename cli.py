"""The command line from a checkout: ``python cli.py search …`` is ``automl-kd search …``."""

from automl_kd.cli import main

if __name__ == "__main__":
    main()
