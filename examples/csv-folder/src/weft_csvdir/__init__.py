"""weft connector for folders of CSV files: one file per object, one row per record."""

__version__ = "0.1.0"
