"""customers.py [PORT]: plays customers of the shop, and says what they saw. Ends with 1 if something is not as it should be."""

import collections
import concurrent.futures
import http.client
import json
import os
import sys
import time

PORT = int(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SHOP_PORT", "8080"))


class Customer:
    """One of them, with an address, cookies and a connection of his own."""

    def __init__(self, number: int) -> None:
        # All of 127.0.0.0/8 is this machine: limits tell customers apart by their addresses.
        self.source = (f"127.0.{1 + number // 250}.{1 + number % 250}", 0)
        self.cookies: dict[str, str] = {}
        self.connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30, source_address=self.source)

    def asks(self, method: str, path: str, content: object = None):
        fields = {"Accept": "application/json"}
        if self.cookies:
            fields["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        body = None
        if content is not None:
            body, fields["Content-Type"] = json.dumps(content), "application/json"
        self.connection.request(method, path, body, fields)
        answer = self.connection.getresponse()
        said = answer.read()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.split(";")[0].partition("=")
            self.cookies[name] = value
        return answer, json.loads(said) if said[:1] in b"[{" else said

    def joins(self) -> "Customer":
        must(self.asks("POST", "/customers")[0].status == 200, "a customer may join")
        return self


def must(holds: bool, what: str) -> None:
    if not holds:
        raise SystemExit(f"NOT SO: {what}")


def eventually(what: str, holds, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        must(time.monotonic() < end, what)
        time.sleep(0.1)


def opens() -> None:
    def is_open() -> bool:
        try:
            customer = Customer(0)
            return customer.asks("GET", "/products")[0].status == 200 and customer.asks("POST", "/customers")[0].status == 200
        except OSError:
            return False

    eventually("the shop opens", is_open, 60)


def browse() -> None:
    """Many read the same pages: few of them reach a backend."""
    seen: collections.Counter[str] = collections.Counter()

    def reads(number: int) -> None:
        customer = Customer(number)
        for n in range(30):
            answer, _ = customer.asks("GET", f"/products/{1 + (number + n) % 6}")
            must(answer.status == 200, "a page is there")
            seen["hit" if "; hit" in answer.headers["Cache-Status"] else "fetched"] += 1

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        list(pool.map(reads, range(40)))
    print(f"browsing: {seen['hit']} pages from the cache, {seen['fetched']} from backends")
    must(seen["hit"] > 9 * seen["fetched"], "nine of ten pages come from the cache")


def price_changes() -> None:
    """A price is changed; a moment later everybody sees it, and from then on."""
    owner, reader = Customer(1), Customer(2)
    price = 1 + reader.asks("GET", "/products/2")[1]["price"]
    must(owner.asks("PUT", "/products/2", {"price": price})[0].status == 200, "a price may be changed")
    must(owner.asks("GET", "/products/2")[1]["price"] == price, "who changed it reads what he wrote")
    begun = time.monotonic()
    eventually("everybody sees it", lambda: reader.asks("GET", "/products/2")[1]["price"] == price, 10)
    took = time.monotonic() - begun
    # All replicas have caught up by then.
    time.sleep(3)
    for number in range(20):
        must(Customer(number).asks("GET", "/products/2")[1]["price"] == price, "no old price comes back")
    print(f"a new price: everybody saw it after {took:.2f} s")


def checkout() -> None:
    """Who orders sees the order at once, although orders are read from replicas that lag behind."""
    for number in range(10):
        customer = Customer(number).joins()
        answer, said = customer.asks("POST", "/orders", {"product": 3})
        must(answer.status == 201, f"an order is taken: {answer.status} {said!r}")
        mine = [order["id"] for order in customer.asks("GET", "/orders")[1]]
        must(said["order"] in mine, "an order is there at once for who placed it")
    by = collections.Counter(Customer(n).asks("GET", "/sale")[0].headers["X-Served-By"] for n in range(4))
    print(f"orders: 10 of 10 were seen at once; without a write before, reads go to {', '.join(sorted(map(str, by)))}")


def greed() -> None:
    """One orders as fast as he can: he is slowed down, the others are not."""
    greedy, other = Customer(200).joins(), Customer(201).joins()
    statuses: collections.Counter[int] = collections.Counter()
    for _ in range(30):
        answer, _ = greedy.asks("POST", "/orders", {"product": 4})
        statuses[answer.status] += 1
        if answer.status == 429:
            must(int(answer.headers["Retry-After"]) >= 1, "who is refused is told when to come back")
    must(statuses[429] >= 15, "who is greedy is refused")
    must(other.asks("POST", "/orders", {"product": 4})[0].status == 201, "others are not")
    print(f"greed: {statuses[201]} orders taken, {statuses[429]} refused with 429")


def flash_sale() -> None:
    """All come at once: they wait in the order in which they came, and come in as fast as the shop can take them."""
    visitors = [Customer(number) for number in range(120)]
    begun, entered = time.monotonic(), []

    def visits(number: int) -> None:
        visitor = visitors[number]
        while True:
            answer, said = visitor.asks("GET", "/sale")
            if answer.status == 200:
                entered.append((time.monotonic() - begun, number))
                return
            must(answer.status == 503 and said["error"] == "waiting", f"a visitor waits: {answer.status} {said!r}")
            must(time.monotonic() - begun < 60, "everybody comes in")
            time.sleep(min(1.0, float(answer.headers["Retry-After"])))

    with concurrent.futures.ThreadPoolExecutor(len(visitors)) as pool:
        list(pool.map(visits, range(len(visitors))))
    took = max(at for at, _ in entered)
    print(f"flash sale: {len(entered)} visitors came in within {took:.1f} s, {len(entered) / took:.0f}/s")
    must(took > 3, "they do not come in all at once")


def main() -> None:
    opens()
    for part in (browse, price_changes, checkout, greed, flash_sale):
        part()
    print("all is as it should be")


if __name__ == "__main__":
    main()
