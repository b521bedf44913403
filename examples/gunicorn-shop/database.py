"""Makes the primary's database, and copies of it. Stands for what keeps replicas of your database."""

import contextlib
import os
import sqlite3

SCHEMA = """
CREATE TABLE IF NOT EXISTS products (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, price INTEGER NOT NULL, stock INTEGER NOT NULL,
    version INTEGER NOT NULL DEFAULT 1);
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY, customer TEXT NOT NULL, product INTEGER NOT NULL REFERENCES products (id));
CREATE INDEX IF NOT EXISTS orders_of_customer ON orders (customer);
"""
PRODUCTS = [("Lamp", 4900), ("Chair", 12900), ("Table", 39900), ("Shelf", 8900), ("Rug", 15900), ("Clock", 5900)]
STOCK = 100_000


def make(path: str) -> None:
    """The primary's, with something to sell in it."""
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as database, database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(SCHEMA)
        if not database.execute("SELECT 1 FROM products").fetchone():
            rows = [(name, price, STOCK) for name, price in PRODUCTS]
            database.executemany("INSERT INTO products (name, price, stock) VALUES (?, ?, ?)", rows)


def copy(primary: str, replica: str) -> dict[int, int]:
    """Brings a copy up to date, all at once for whoever reads it; the version of each product in it."""
    beside = f"{replica}.new"
    with contextlib.closing(sqlite3.connect(f"file:{primary}?mode=ro", uri=True, timeout=10)) as source:
        with contextlib.closing(sqlite3.connect(beside)) as target:
            source.backup(target)
            # A copy in one file, which is renamed whole.
            target.execute("PRAGMA journal_mode = DELETE")
            versions = dict(target.execute("SELECT id, version FROM products"))
    os.replace(beside, replica)
    return versions
