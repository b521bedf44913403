"""A small shop, written as one would write it for a single machine.

What makes it scale is in three decisions, none of which is about Weir:

- What is written goes to one database, the primary's. What is read may come from a copy that is a moment old.
- Pages say how long they may be kept and what they are about (``Cache-Tag``).
- Who you are is in a cookie, not in the memory of a process.
"""

import os
import secrets
import sqlite3

from flask import Flask, abort, g, jsonify, request

import weir

app = Flask(__name__)
NAME = os.environ.get("SHOP_NAME", "shop")
DATABASE = os.environ["SHOP_DATABASE"]
IS_PRIMARY = os.environ.get("SHOP_ROLE", "primary") == "primary"
# How long a page may be kept by a cache that can be told to forget it.
KEPT = 600


def database() -> sqlite3.Connection:
    if "database" not in g:
        how = "rw" if IS_PRIMARY else "ro"
        g.database = sqlite3.connect(f"file:{DATABASE}?mode={how}", uri=True, timeout=5)
        g.database.row_factory = sqlite3.Row
    return g.database


@app.teardown_appcontext
def close(_error: object) -> None:
    if "database" in g:
        g.database.close()


@app.before_request
def only_the_primary_writes() -> None:
    if request.method not in ("GET", "HEAD", "OPTIONS") and not IS_PRIMARY:
        abort(405, "this is a replica")


@app.after_request
def say_who(response):
    response.headers["X-Served-By"] = NAME
    # What says nothing else is for nobody but who asked.
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def customer() -> str:
    return request.cookies.get("customer") or abort(401, "begin with POST /customers")


def kept(response, *tags: str):
    response.headers["Cache-Control"] = f"public, max-age=0, s-maxage={KEPT}"
    response.headers["Cache-Tag"] = ", ".join(tags)
    return response


@app.get("/healthz")
def health():
    database().execute("SELECT 1 FROM products LIMIT 1").fetchone()
    return "ok\n"


@app.post("/customers")
def new_customer():
    response = jsonify(welcome=True)
    response.set_cookie("customer", secrets.token_hex(8), httponly=True, samesite="Lax")
    return response


@app.get("/products")
def products():
    rows = database().execute("SELECT id, name, price FROM products ORDER BY id").fetchall()
    return kept(jsonify([dict(row) for row in rows]), "products")


@app.get("/products/<int:number>")
def product(number: int):
    row = database().execute("SELECT id, name, price FROM products WHERE id = ?", (number,)).fetchone()
    return kept(jsonify(dict(row or abort(404))), f"product-{number}")


@app.put("/products/<int:number>")
def change(number: int):
    price = int(request.get_json()["price"])
    with database() as transaction:
        found = transaction.execute(
            "UPDATE products SET price = ?, version = version + 1 WHERE id = ?", (price, number)
        ).rowcount
    if not found:
        abort(404)
    # Replicas do the same once they have the change (follow.py): whoever is last leaves nothing old behind.
    weir.purge("products", f"product-{number}")
    return jsonify(price=price)


@app.post("/orders")
def order():
    wanted = request.get_json()
    with database() as transaction:
        taken = transaction.execute(
            "UPDATE products SET stock = stock - 1 WHERE id = ? AND stock > 0", (int(wanted["product"]),)
        ).rowcount
        if not taken:
            abort(409, "sold out")
        number = transaction.execute(
            "INSERT INTO orders (customer, product) VALUES (?, ?)", (customer(), int(wanted["product"]))
        ).lastrowid
    return jsonify(order=number), 201


@app.get("/orders")
def orders():
    rows = database().execute("SELECT id, product FROM orders WHERE customer = ? ORDER BY id", (customer(),)).fetchall()
    return jsonify([dict(row) for row in rows])


@app.get("/sale")
def sale():
    row = database().execute("SELECT id, name, price, stock FROM products WHERE id = 1").fetchone()
    return jsonify(dict(row))
