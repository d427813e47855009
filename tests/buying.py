"""Clients that buy, pay, deliver, accept and review without end, and afterwards look whether all of it is there."""
import collections
import http.client
import itertools
import threading
import time

from server import Refused

RANK = {"pending": 0, "active": 1, "delivered": 2, "completed": 3}


class Client(threading.Thread):
    """Buys from its own seller until the program dies or it is told to stop, and remembers every answer."""

    def __init__(self, server, name_of_work):
        super().__init__(daemon=True)
        self.server = server
        self.name_of_work = name_of_work
        self.over = threading.Event()
        _, self.seller = server.person("freelancer")
        _, self.buyer = server.person("buyer")
        offer = {"title": f"Offer of {self.name_of_work}", "description": "Made to be bought.", "category": "tests", "price": "19.90"}
        self.service = server.expect(201, "POST", "/services", self.seller, offer)["id"]
        self.orders = {}          # id → the furthest status that was acknowledged
        self.payments = []        # ids of acknowledged payments
        self.reviews = set()      # orders whose review was acknowledged
        self.acknowledged = 0
        self.answered_at = []     # where somebody wants to know when nothing was
        self.under_way = None     # the request without an answer
        self.wrong = None

    def send(self, status, *request):
        """A request with its own key; it is under way until its answer is here."""
        self.under_way = (status, request, f"{self.name_of_work}/{self.acknowledged}")
        answer = self.server.expect(status, *request, key=self.under_way[2])
        self.under_way = None
        self.acknowledged += 1
        return answer

    #: Seconds that the request which is under way may still need.
    ends_within_s = 60.0

    def stop(self):
        self.over.set()
        self.join(timeout=self.ends_within_s)
        expect(not self.is_alive(), f"{self.name_of_work} does not end")

    def run(self):
        try:
            for number in itertools.count():
                if self.over.is_set():
                    return
                self.buy(number)
        except (OSError, http.client.HTTPException):
            pass  # it was killed
        except Refused as refused:
            self.wrong = str(refused)

    def buy(self, number):
        order = self.send(201, "POST", "/orders", self.buyer, {"service_id": self.service, "requirements": f"order {number}"})["id"]
        self.orders[order] = "pending"
        payment = self.send(201, "POST", "/payments", self.buyer, {"order_id": order, "payment_method": "pm_card_visa"})
        self.payments.append(payment["id"])
        self.orders[order] = "active"
        self.send(200, "PUT", f"/orders/{order}", self.seller, {"status": "delivered"})
        self.orders[order] = "delivered"
        self.send(200, "PUT", f"/orders/{order}", self.buyer, {"status": "completed"})
        self.orders[order] = "completed"
        self.send(201, "POST", "/reviews", self.buyer, {"order_id": order, "rating": 5})
        self.reviews.add(order)

    def send_again(self, patience_s=0.0):
        """Sends again what was under way; says whether its outcome is known."""
        expect(self.wrong is None, self.wrong)
        if self.under_way is None:
            return True
        status, (method, path, token, body), key = self.under_way
        deadline = time.monotonic() + patience_s
        while True:
            came, answer = self.server.request(method, path, token, body, key)
            if came != 409 or answer["code"] != "idempotency_in_progress":
                break
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.2)
        expect(came == status, f"{method} {path}, sent again with its key, answered {came}: {answer}")
        self.under_way = None
        self.acknowledged += 1
        return True

    def check(self):
        for order, status in self.orders.items():
            found = self.server.expect(200, "GET", f"/orders/{order}", self.buyer)["status"]
            expect(RANK[found] >= RANK[status], f"order {order} was {status}, is {found}")
        for payment in self.payments:
            found = self.server.expect(200, "GET", f"/payments/{payment}", self.buyer)["status"]
            expect(found == "success", f"payment {payment} is {found}")
        reviewed = {review["order_id"] for review in self.pages(f"/reviews/{self.service}")}
        expect(self.reviews <= reviewed, f"lost reviews: {self.reviews - reviewed}")
        made = collections.Counter(order["requirements"] for order in self.pages("/orders"))
        twice = [name for name, count in made.items() if count > 1]
        expect(not twice, f"placed twice: {twice}")
        expect(len(made) in (len(self.orders), len(self.orders) + 1), f"{len(made)} orders, {len(self.orders)} acknowledged")

    def pages(self, path):
        """Every row of a list."""
        query = "?limit=100"
        while query:
            page = self.server.expect(200, "GET", path + query, self.buyer)
            yield from page["data"]
            query = page["next_cursor"] and f"?limit=100&cursor={page['next_cursor']}"


class Retrying(Client):
    """Sends again, with its key, what was refused because the database was away, and remembers when each was answered."""

    #: Seconds that a request may need in all.
    gives_up_after_s = 90.0
    ends_within_s = 120.0

    def send(self, status, *request):
        key, deadline = f"{self.name_of_work}/{self.acknowledged}", time.monotonic() + self.gives_up_after_s
        while True:
            came, answer = self.server.request(*request, key=key)
            if came == 202:
                came, answer = self.settled(answer["id"], deadline)
            if came == status:
                self.acknowledged += 1
                self.answered_at.append(time.monotonic())
                return answer
            waits = came == 503 or came == 409 and answer["code"] == "idempotency_in_progress"
            if not waits or time.monotonic() > deadline:
                raise Refused(*request[:2], came, answer)
            time.sleep(0.05)

    def settled(self, payment, deadline):
        """A charge whose outcome was unknown has succeeded."""
        while time.monotonic() < deadline:
            came, found = self.server.request("GET", f"/payments/{payment}", self.buyer)
            if came == 200 and found["status"] == "success":
                return 201, found
            time.sleep(0.2)
        return 202, None


def until(what, holds, within_s):
    """Seconds until it held."""
    began = time.monotonic()
    while not holds():
        expect(time.monotonic() - began < within_s, f"not within {within_s} s: {what}")
        time.sleep(0.02)
    return time.monotonic() - began


def expect(holds, otherwise):
    if not holds:
        raise SystemExit(otherwise)
