#!/usr/bin/env python3
"""A stand-in for Stripe's API, written here for what no peer that others wrote can do: transfers, connected accounts,
disputes, Stripe's own books, signed webhooks, idempotency keys, and above all misbehaviour. Everything is in memory.

    with Peer(webhook="http://127.0.0.1:8080/webhooks/stripe", secret="whsec_test") as peer:
        environment |= {"GUILDHALL_PROVIDER": "stripe", "GUILDHALL_STRIPE_URL": peer.url,
                        "GUILDHALL_STRIPE_SECRET_KEY": KEY, "GUILDHALL_STRIPE_WEBHOOK_SECRETS": "whsec_test"}

or alone: tests/stripe_peer.py PORT [WEBHOOK_URL SECRET].

Payment methods: pm_card_visa; pm_card_visa_chargeDeclined, pm_card_visa_chargeDeclinedInsufficientFunds (402);
pm_card_authenticationRequired (requires_action until `authenticate`); pm_peer_processing (processing until `settle`).
A parameter that Stripe does not have is 400 parameter_unknown. What is not here: 404.

Misbehaviour, `peer.trouble(kind, path="/v1/refunds", method="POST", times=1, …)`: the next `times` requests of that method
whose path begins so (default: any). Several wait in their order; `peer.troubles` holds those that did not happen yet.

    delay            answers `delay_s` late
    drop_before      does nothing and closes the connection
    drop_after       does it and closes the connection without an answer
    fail_before      500, and nothing was done; the key stays free
    fail_after       500, and it was done; the key gives the same 500 for ever, as Stripe's does
    truncate         does it and sends half of the answer
    garbage          does it and answers 200 with something that is not JSON
    limit            429 with Retry-After: 1; nothing done
    unauthorized     401; nothing done
    refuse           `status` (default 400) with `code`; nothing done, kept under the key

What happens without a request (each returns the object and tells it by webhook):
    authenticate(intent, success=True)      the buyer proves who he is, or fails to
    settle(intent, success=True)            a processing payment ends
    dispute(intent, warning=False)          his bank takes the money back (a warning takes none)
    close_dispute(dispute, "won" | "lost")  and decides
    refund_outside(intent, amount)          somebody refunds in the dashboard
    fail_refund(refund)                     a refund comes back
    reverse(transfer, amount=None)          somebody takes a transfer back
    enable(account), restrict(account)      a freelancer has said all, or Stripe wants more
    fail_payout(account, amount, currency)  a freelancer's bank takes no money
    book_late(intent)                       a charge comes into Stripe's books after it was answered
    pay_out(amount, currency)               the house takes money to its own bank

A charge comes into Stripe's books at once only where `capture_method` says `automatic`, and `peer.late` is not set.

Alone, the same over HTTP, without a key: GET / lists what there is with a form for each; POST to
    /peer/payment_intents/ID/authenticate   [success=false]      /peer/payment_intents/ID/settle   [success=false]
    /peer/payment_intents/ID/dispute        [warning=true]       /peer/disputes/ID/close           [status=lost]
    /peer/payment_intents/ID/refund         amount=1000          /peer/refunds/ID/fail
    /peer/accounts/ID/enable                                     /peer/accounts/ID/restrict
    /peer/accounts/ID/fail_payout           amount=1000 [currency=usd]
answers with the object. The `url` of an account link is a page that enables the account.

Webhooks: sent in their order by a thread, each tried five times; `peer.hold = True` keeps them back in `peer.events` until
`peer.deliver(event, times=1, at=None, secret=None)` sends one (`at` signs as of then, `secret` forges);
`peer.deliveries` is [(event id, status or error)]. `peer.calls` is [(method, path, parameters, idempotency key)].
`peer.missing_webhooks(kind)` drops events of a type for ever; they stay in GET /v1/events.
Objects: `peer.all("payment_intent" | "charge" | "refund" | "transfer" | "transfer_reversal" | "account" | "dispute" |
"balance_transaction" | "event")`.
"""
import contextlib
import copy
import hashlib
import hmac
import html
import http.client
import http.server
import itertools
import json
import queue
import socket
import sys
import threading
import time
import urllib.parse

KEY = "sk_test_the_peer_takes_any"
PREFIX = {
    "payment_intent": "pi", "charge": "ch", "refund": "re", "transfer": "tr", "transfer_reversal": "trr",
    "account": "acct", "dispute": "du", "balance_transaction": "txn", "event": "evt", "payout": "po",
}
DECLINES = {
    "pm_card_visa_chargeDeclined": ("generic_decline", "Your card was declined."),
    "pm_card_visa_chargeDeclinedInsufficientFunds": ("insufficient_funds", "Your card has insufficient funds."),
}
LISTED = {"limit", "starting_after", "created", "expand"}


class Refusal(Exception):
    """An answer that is no success."""

    def __init__(self, status, code=None, message="refused", kind="invalid_request_error", **more):
        super().__init__(message)
        self.status = status
        self.body = {"error": {"type": kind, "message": message, **({"code": code} if code else {}), **more}}


class Trouble:
    def __init__(self, kind, path="", method="POST", times=1, delay_s=1.0, status=400, code="refused"):
        self.kind, self.path, self.method, self.times = kind, path, method, times
        self.delay_s, self.status, self.code = delay_s, status, code


class Peer:
    def __init__(self, port=0, webhook=None, secret="whsec_peer"):
        self.webhook, self.secret, self.hold, self.late = webhook, secret, False, False
        self.objects = {kind: {} for kind in PREFIX}
        self.keys = {}              # idempotency key → (request, answer or None while it runs)
        self.troubles, self.calls, self.deliveries, self.dropped = [], [], [], set()
        self.numbers = itertools.count(1)
        self.lock = threading.RLock()
        self.outbox = queue.Queue()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler(self))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        threading.Thread(target=self.send_webhooks, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.outbox.put(None)
        self.server.shutdown()
        self.server.server_close()

    # What a test asks for.

    def trouble(self, kind, **how):
        with self.lock:
            self.troubles.append(Trouble(kind, **how))

    def all(self, kind):
        with self.lock:
            return [copy.deepcopy(one) for one in self.objects[kind].values()]

    def missing_webhooks(self, kind):
        self.dropped.add(kind)

    def authenticate(self, intent, success=True):
        with self.lock:
            found = self.objects["payment_intent"][intent]
            assert found["status"] == "requires_action", found["status"]
            found["next_action"] = None
            if success:
                return self.capture(found)
            return self.fail(found, {"type": "card_error", "code": "payment_intent_authentication_failure", "message": "The provided PaymentMethod has failed authentication."})

    def settle(self, intent, success=True):
        with self.lock:
            found = self.objects["payment_intent"][intent]
            assert found["status"] == "processing", found["status"]
            if success:
                return self.capture(found)
            return self.fail(found, {"type": "card_error", "code": "card_declined", "decline_code": "generic_decline", "message": "Your card was declined."})

    def dispute(self, intent, warning=False, reason="fraudulent"):
        with self.lock:
            charge = self.charge_of(intent)
            found = self.make("dispute", {
                "amount": charge["amount"], "currency": charge["currency"], "charge": charge["id"], "payment_intent": intent,
                "reason": reason, "status": "warning_needs_response" if warning else "needs_response",
                "evidence_details": {"due_by": int(time.time()) + 7 * 86_400}, "metadata": {},
            })
            self.tell("charge.dispute.created", found)
            if not warning:
                charge["disputed"] = True
                self.book(found, "adjustment", -charge["amount"], fee=1_500)
                self.tell("charge.dispute.funds_withdrawn", found)
            return found

    def close_dispute(self, dispute, status):
        with self.lock:
            found = self.objects["dispute"][dispute]
            warned = found["status"].startswith("warning")
            found["status"] = "warning_closed" if warned else status
            self.tell("charge.dispute.closed", found)
            if status == "won" and not warned:
                self.book(found, "adjustment", found["amount"])
                self.tell("charge.dispute.funds_reinstated", found)
            return found

    def refund_outside(self, intent, amount):
        with self.lock:
            return self.create_refund({"payment_intent": intent, "amount": str(amount)})

    def fail_refund(self, refund):
        with self.lock:
            found = self.objects["refund"][refund]
            found |= {"status": "failed", "failure_reason": "lost_or_stolen_card"}
            self.objects["charge"][found["charge"]]["amount_refunded"] -= found["amount"]
            self.book(found, "refund_failure", found["amount"])
            self.tell("refund.failed", found)
            return found

    def reverse(self, transfer, amount=None):
        with self.lock:
            return self.create_reversal(transfer, {"amount": str(amount)} if amount else {})

    def enable(self, account):
        with self.lock:
            found = self.objects["account"][account]
            found |= {"payouts_enabled": True, "details_submitted": True, "capabilities": {"transfers": "active"}}
            found["requirements"] = {"currently_due": [], "past_due": [], "disabled_reason": None}
            self.tell("account.updated", found, account=account)
            return found

    def restrict(self, account, wanted="individual.verification.document"):
        with self.lock:
            found = self.objects["account"][account]
            found |= {"payouts_enabled": False, "capabilities": {"transfers": "inactive"}}
            found["requirements"] = {"currently_due": [wanted], "past_due": [wanted], "disabled_reason": "requirements.past_due"}
            self.tell("account.updated", found, account=account)
            return found

    def fail_payout(self, account, amount, currency="usd"):
        with self.lock:
            payout = {"id": f"po_{next(self.numbers):06}", "object": "payout", "amount": amount, "currency": currency, "status": "failed", "failure_code": "account_closed", "metadata": {}}
            self.tell("payout.failed", payout, account=account)
            return payout

    def book_late(self, intent):
        with self.lock:
            charge = self.charge_of(intent)
            assert charge["balance_transaction"] is None, "it is booked"
            self.book_charge(charge)
            self.tell("charge.updated", charge)
            return charge

    def pay_out(self, amount, currency="usd"):
        with self.lock:
            payout = self.make("payout", {"amount": amount, "currency": currency, "status": "paid", "automatic": True, "metadata": {}})
            self.book(payout, "payout", -amount)
            self.tell("payout.paid", payout)
            return payout

    def deliver(self, event, times=1, at=None, secret=None):
        """Sends one now and says what each answer was."""
        return [self.send(event, at, secret) for _ in range(times)]

    # What people ask for, where it stands alone.

    def act(self, path, given):
        """Does what a test would have asked for; called with the lock."""
        yes = lambda name, default: given.get(name, default) == "true"
        match path.strip("/").split("/")[1:]:
            case ["payment_intents", intent, "authenticate"]:
                return self.authenticate(intent, yes("success", "true"))
            case ["payment_intents", intent, "settle"]:
                return self.settle(intent, yes("success", "true"))
            case ["payment_intents", intent, "dispute"]:
                return self.dispute(intent, yes("warning", "false"))
            case ["payment_intents", intent, "refund"]:
                return self.refund_outside(intent, int(given["amount"]))
            case ["disputes", dispute, "close"]:
                status = given.get("status", "lost")
                assert status in ("won", "lost"), f"a dispute is won or lost, not {status}"
                return self.close_dispute(dispute, status)
            case ["refunds", refund, "fail"]:
                return self.fail_refund(refund)
            case ["accounts", account, "enable"]:
                return self.enable(account)
            case ["accounts", account, "restrict"]:
                return self.restrict(account)
            case ["accounts", account, "fail_payout"]:
                return self.fail_payout(account, int(given["amount"]), given.get("currency", "usd"))
        raise Refusal(404, None, f"Nothing happens at {path}: GET / lists what can.")

    def page(self, path):
        """What can happen now, as forms; called with the lock."""
        match path.strip("/").split("/"):
            case [""]:
                return self.everything()
            case ["onboarding", account, *_] if account in self.objects["account"]:
                return f"<h1>{account}</h1><p>The bank details of a freelancer would be asked for here.</p>" + form(f"accounts/{account}/enable", "All is said")
        raise Refusal(404, None, f"There is no page at {path}: GET / lists what there is.")

    def everything(self):
        lines = []
        for intent in self.objects["payment_intent"].values():
            said = f"{intent['id']} {intent['amount']} {intent['currency']} {intent['status']}"
            at = f"payment_intents/{intent['id']}"
            ends = {
                "requires_action": form(f"{at}/authenticate", "Authenticate") + form(f"{at}/authenticate", "Fail to", success="false"),
                "processing": form(f"{at}/settle", "Settle") + form(f"{at}/settle", "Decline", success="false"),
                "succeeded": form(f"{at}/dispute", "Open a dispute"),
            }
            lines.append(said + ends.get(intent["status"], ""))
        for dispute in self.objects["dispute"].values():
            at = f"disputes/{dispute['id']}/close"
            open_yet = dispute["status"].endswith("needs_response")
            lines.append(f"{dispute['id']} {dispute['status']}" + (form(at, "Lose", status="lost") + form(at, "Win", status="won") if open_yet else ""))
        for account in self.objects["account"].values():
            stands = "enabled" if account["payouts_enabled"] else "not enabled"
            lines.append(f"{account['id']} {html.escape(str(account['email']))} {stands}" + form(f"accounts/{account['id']}/enable", "Enable") + form(f"accounts/{account['id']}/restrict", "Restrict"))
        return "<h1>The peer</h1>" + "".join(f"<div>{line}</div>" for line in lines)

    # The API.

    def answer(self, method, path, query, body):
        """Status and JSON of a request; called with the lock."""
        parts = path.strip("/").split("/")[1:]
        parameters = nested(urllib.parse.parse_qsl(query if method == "GET" else body, keep_blank_values=True))
        expand = parameters.pop("expand", {})
        match (method, parts):
            case ("POST", ["payment_intents"]):
                found = self.create_intent(parameters)
            case ("POST", ["payment_intents", intent, "confirm"]):
                self.known(parameters, "return_url", "payment_method")
                found = self.confirm_intent(self.find("payment_intent", intent))
            case ("POST", ["payment_intents", intent, "cancel"]):
                self.known(parameters, "cancellation_reason")
                found = self.cancel_intent(self.find("payment_intent", intent))
            case ("POST", ["refunds"]):
                found = self.create_refund(parameters)
            case ("POST", ["transfers"]):
                found = self.create_transfer(parameters)
            case ("POST", ["transfers", transfer, "reversals"]):
                found = self.create_reversal(transfer, parameters)
            case ("POST", ["accounts"]):
                found = self.create_account(parameters)
            case ("POST", ["account_links"]):
                self.known(parameters, "account", "refresh_url", "return_url", "type")
                self.find("account", parameters["account"])
                found = {"object": "account_link", "url": f"{self.url}/onboarding/{parameters['account']}/{next(self.numbers)}", "expires_at": int(time.time()) + 300}
            case ("GET", ["balance"]):
                found = self.balance()
            case ("GET", [kinds]) if kinds.removesuffix("s") in PREFIX:
                found = self.list(kinds.removesuffix("s"), parameters)
            case ("GET", [kinds, identity]) if kinds.removesuffix("s") in PREFIX:
                found = self.find(kinds.removesuffix("s"), identity)
            case _:
                raise Refusal(404, None, f"Unrecognized request URL ({method}: {path}).")
        found = copy.deepcopy(found)
        for way in expand.values():
            self.expand(found, way.split("."))
        return 200, found

    def create_intent(self, given):
        self.known(given, "amount", "currency", "payment_method", "confirm", "capture_method", "automatic_payment_methods", "return_url", "transfer_group", "metadata")
        amount = self.amount(given)
        if amount > 99_999_999:
            raise Refusal(400, "amount_too_large", "Amount must be no more than 999999.99")
        method = given.get("payment_method", "")
        if method not in DECLINES and method not in ("pm_card_visa", "pm_card_authenticationRequired", "pm_peer_processing"):
            raise Refusal(400, "resource_missing", f"No such PaymentMethod: '{method}'")
        found = self.make("payment_intent", {
            "amount": amount, "amount_received": 0, "currency": given["currency"], "status": "requires_confirmation",
            "payment_method": method, "latest_charge": None, "next_action": None, "last_payment_error": None,
            "transfer_group": given.get("transfer_group"), "metadata": given.get("metadata", {}),
            "capture_method": given.get("capture_method", "automatic_async"),
        })
        found["client_secret"] = f"{found['id']}_secret_{hashlib.sha256(found['id'].encode()).hexdigest()[:24]}"
        self.tell("payment_intent.created", found)
        return self.confirm_intent(found) if given.get("confirm") == "true" else found

    def confirm_intent(self, found):
        if found["status"] != "requires_confirmation":
            raise Refusal(400, "payment_intent_unexpected_state", f"This PaymentIntent's status is {found['status']}.", payment_intent=copy.deepcopy(found))
        method = found["payment_method"]
        if method in DECLINES:
            code, message = DECLINES[method]
            error = {"type": "card_error", "code": "card_declined", "decline_code": code, "message": message}
            self.fail(found, error)
            raise Refusal(402, "card_declined", message, "card_error", decline_code=code, payment_intent=copy.deepcopy(found))
        if method == "pm_card_authenticationRequired":
            found |= {"status": "requires_action", "next_action": {"type": "use_stripe_sdk", "use_stripe_sdk": {}}}
            self.tell("payment_intent.requires_action", found)
            return found
        if method == "pm_peer_processing":
            found["status"] = "processing"
            self.tell("payment_intent.processing", found)
            return found
        return self.capture(found)

    def capture(self, found):
        charge = self.make("charge", {
            "amount": found["amount"], "currency": found["currency"], "payment_intent": found["id"], "status": "succeeded",
            "amount_refunded": 0, "amount_transferred": 0, "disputed": False, "metadata": dict(found["metadata"]),
            "transfer_group": found["transfer_group"], "balance_transaction": None,
        })
        if found["capture_method"] == "automatic" and not self.late:
            self.book_charge(charge)
        found |= {"status": "succeeded", "amount_received": found["amount"], "latest_charge": charge["id"], "last_payment_error": None}
        self.tell("charge.succeeded", charge)
        self.tell("payment_intent.succeeded", found)
        return found

    def book_charge(self, charge):
        fee = min(charge["amount"], (charge["amount"] * 29 + 500) // 1_000 + 30)
        charge["balance_transaction"] = self.book(charge, "charge", charge["amount"], fee)["id"]

    def fail(self, found, error):
        found |= {"status": "requires_payment_method", "last_payment_error": error}
        self.tell("payment_intent.payment_failed", found)
        return found

    def cancel_intent(self, found):
        if found["status"] in ("succeeded", "canceled", "processing"):
            raise Refusal(400, "payment_intent_unexpected_state", f"You cannot cancel this PaymentIntent because it has a status of {found['status']}.", payment_intent=copy.deepcopy(found))
        found |= {"status": "canceled", "next_action": None}
        self.tell("payment_intent.canceled", found)
        return found

    def create_refund(self, given):
        self.known(given, "payment_intent", "amount", "metadata")
        charge = self.charge_of(given["payment_intent"])
        amount, left = self.amount(given), charge["amount"] - charge["amount_refunded"]
        if charge["disputed"]:
            raise Refusal(400, "charge_disputed", "This charge has been charged back and cannot be refunded.")
        if left == 0:
            raise Refusal(400, "charge_already_refunded", f"Charge {charge['id']} has already been refunded.")
        if amount > left:
            raise Refusal(400, None, f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})")
        charge["amount_refunded"] += amount
        found = self.make("refund", {
            "amount": amount, "currency": charge["currency"], "charge": charge["id"], "payment_intent": given["payment_intent"],
            "status": "succeeded", "failure_reason": None, "metadata": given.get("metadata", {}),
        })
        self.book(found, "refund", -amount)
        self.tell("refund.created", found)
        self.tell("charge.refunded", charge)
        return found

    def create_transfer(self, given):
        self.known(given, "amount", "currency", "destination", "source_transaction", "transfer_group", "metadata")
        account, source = self.find("account", given["destination"]), given.get("source_transaction")
        charge = self.find("charge", source) if source else None
        amount = self.amount(given)
        if account["capabilities"].get("transfers") != "active":
            raise Refusal(400, "insufficient_capabilities_for_transfer", "Your destination account needs to have at least one of the following capabilities enabled: transfers")
        if charge and (given["currency"] != charge["currency"] or amount + charge["amount_transferred"] > charge["amount"] - charge["amount_refunded"]):
            raise Refusal(400, None, "Transfers using this transaction as a source must not exceed the source amount")
        if charge:
            charge["amount_transferred"] += amount
        found = self.make("transfer", {
            "amount": amount, "amount_reversed": 0, "reversed": False, "currency": given["currency"], "destination": account["id"],
            "source_transaction": source, "transfer_group": given.get("transfer_group"), "metadata": given.get("metadata", {}),
        })
        self.book(found, "transfer", -amount)
        self.tell("transfer.created", found)
        return found

    def create_reversal(self, transfer, given):
        self.known(given, "amount", "metadata")
        found = self.find("transfer", transfer)
        amount = int(given.get("amount", found["amount"] - found["amount_reversed"]))
        if not 0 < amount <= found["amount"] - found["amount_reversed"]:
            raise Refusal(400, None, "Reversal amount is greater than unreversed amount on transfer")
        found["amount_reversed"] += amount
        found["reversed"] = found["amount_reversed"] == found["amount"]
        reversal = self.make("transfer_reversal", {"amount": amount, "currency": found["currency"], "transfer": transfer, "metadata": given.get("metadata", {})})
        self.book(reversal, "transfer_refund", amount)
        self.tell("transfer.reversed", found)
        return reversal

    def create_account(self, given):
        self.known(given, "email", "controller", "capabilities", "metadata", "country")
        if given.get("controller", {}).get("losses", {}).get("payments") != "application":
            raise Refusal(400, None, "This platform bears the losses of its accounts")
        return self.make("account", {
            "email": given.get("email"), "payouts_enabled": False, "charges_enabled": False, "details_submitted": False,
            "capabilities": {"transfers": "inactive"}, "metadata": given.get("metadata", {}),
            "requirements": {"currently_due": ["external_account"], "past_due": [], "disabled_reason": "requirements.past_due"},
        })

    def balance(self):
        sums = {}
        for line in self.objects["balance_transaction"].values():
            sums[line["currency"]] = sums.get(line["currency"], 0) + line["net"]
        available = [{"amount": amount, "currency": currency} for currency, amount in sums.items()]
        return {"object": "balance", "available": available, "pending": [], "livemode": False}

    def list(self, kind, given):
        filters = {"payment_intent", "charge", "transfer_group", "destination", "type"}
        self.known(given, *LISTED, *filters, "types")
        found = list(reversed(self.objects[kind].values()))
        types = list(given.get("types", {}).values())
        if len(types) > 20 or "type" in given and types:
            raise Refusal(400, None, "types: up to 20 of them, and no type beside")
        if types:
            found = [one for one in found if one.get("type") in types]
        for name in filters & given.keys():
            found = [one for one in found if one.get(name) == given[name]]
        compare = {"gte": int.__ge__, "gt": int.__gt__, "lte": int.__le__, "lt": int.__lt__}
        for how, bound in given.get("created", {}).items():
            found = [one for one in found if compare[how](one["created"], int(bound))]
        if "starting_after" in given:
            names = [one["id"] for one in found]
            if given["starting_after"] not in names:
                raise Refusal(400, "resource_missing", f"No such object: '{given['starting_after']}'")
            found = found[names.index(given["starting_after"]) + 1:]
        limit = int(given.get("limit", 10))
        if not 1 <= limit <= 100:
            raise Refusal(400, "parameter_invalid_integer", "limit is from 1 to 100")
        return {"object": "list", "data": found[:limit], "has_more": len(found) > limit}

    # What they are made of.

    def make(self, kind, content):
        found = {"id": f"{PREFIX[kind]}_{next(self.numbers):06}", "object": kind, "created": int(time.time()), "livemode": False, **content}
        self.objects[kind][found["id"]] = found
        return found

    def book(self, source, kind, amount, fee=0):
        """A line of Stripe's own books."""
        return self.make("balance_transaction", {
            "amount": amount, "fee": fee, "net": amount - fee, "currency": source["currency"], "type": kind, "source": source["id"],
            "status": "available", "available_on": int(time.time()),
        })

    def tell(self, kind, found, account=None):
        event = self.make("event", {"type": kind, "api_version": "2025-09-30.clover", "data": {"object": copy.deepcopy(found)}, **({"account": account} if account else {})})
        if self.webhook and not self.hold and kind not in self.dropped:
            self.outbox.put(event)

    def find(self, kind, identity):
        found = self.objects[kind].get(identity)
        if found is None:
            raise Refusal(404, "resource_missing", f"No such {kind}: '{identity}'")
        return found

    def charge_of(self, intent):
        charge = self.find("payment_intent", intent)["latest_charge"]
        if charge is None:
            raise Refusal(400, "charge_missing", "This PaymentIntent does not have a successful charge.")
        return self.objects["charge"][charge]

    def known(self, given, *names):
        for name in given:
            if name not in names:
                raise Refusal(400, "parameter_unknown", f"Received unknown parameter: {name}", param=name)

    def amount(self, given):
        if not given.get("amount", "").isdigit() or int(given["amount"]) < 1:
            raise Refusal(400, "parameter_invalid_integer", "amount is a positive integer")
        return int(given["amount"])

    def expand(self, found, way):
        """Replaces an id by its object, as deep as the way goes."""
        if isinstance(found, list):
            for one in found:
                self.expand(one, way)
            return
        name, rest = way[0], way[1:]
        inner = found.get(name)
        if isinstance(inner, str):
            kind = next(kind for kind, prefix in PREFIX.items() if inner.startswith(f"{prefix}_"))
            inner = found[name] = copy.deepcopy(self.objects[kind][inner])
        if inner is not None and rest:
            self.expand(inner, rest)

    # Webhooks.

    def send_webhooks(self):
        while (event := self.outbox.get()) is not None:
            for pause in (0, 0.1, 0.3, 1, 2):
                time.sleep(pause)
                if self.send(event) == 200:
                    break

    def send(self, event, at=None, secret=None):
        url = urllib.parse.urlsplit(self.webhook)
        body = json.dumps(event, indent=2).encode()
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
        try:
            headers = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": sign(secret or self.secret, body, at)}
            connection.request("POST", url.path, body, headers)
            outcome = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            outcome = repr(error)
        finally:
            connection.close()
        self.deliveries.append((event["id"], outcome))
        return outcome


def sign(secret, body, at=None):
    """The header of a webhook."""
    at = int(time.time()) if at is None else at
    return f"t={at},v1={hmac.new(secret.encode(), f'{at}.'.encode() + body, hashlib.sha256).hexdigest()}"


def nested(pairs):
    """`a[b]=c` as {"a": {"b": "c"}}; `a[]=c` as {"a": {"0": "c"}}."""
    tree = {}
    for name, value in pairs:
        first, *others = name.replace("]", "").split("[")
        branch, names = tree, [first, *others]
        for part in names[:-1]:
            branch = branch.setdefault(part, {})
        branch[names[-1] or str(len(branch))] = value
    return tree


def form(path, word, **given):
    fields = "".join(f'<input type="hidden" name="{name}" value="{value}">' for name, value in given.items())
    return f' <form method="post" action="/peer/{path}" style="display:inline">{fields}<button>{word}</button></form>'


def handler(peer):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_GET(self):
            self.handle_request("")

        def do_POST(self):
            self.handle_request(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

        def handle_request(self, body):
            path, _, query = self.path.partition("?")
            if not path.startswith("/v1/"):
                return self.for_people(path, body)
            key = self.headers.get("Idempotency-Key")
            trouble = None
            with peer.lock:
                peer.calls.append((self.command, path, nested(urllib.parse.parse_qsl(body or query)), key))
                for waiting in peer.troubles:
                    if waiting.method == self.command and path.startswith(waiting.path):
                        trouble = waiting
                        trouble.times -= 1
                        if trouble.times == 0:
                            peer.troubles.remove(trouble)
                        break
            kind = trouble.kind if trouble else ""
            if kind == "delay":
                time.sleep(trouble.delay_s)
            if kind == "drop_before":
                return self.hang_up()
            before = {
                "fail_before": Refusal(500, None, "An unknown error occurred", "api_error"),
                "limit": Refusal(429, "rate_limit", "Too many requests"),
                "unauthorized": Refusal(401, None, "Invalid API Key provided"),
            }
            if kind in before:
                return self.reply(before[kind].status, before[kind].body)
            refusal = Refusal(trouble.status, trouble.code, "refused on demand") if kind == "refuse" else None
            status, answer, replayed = self.once(key, (self.command, path, body), lambda: self.work(path, query, body, refusal))
            if kind == "drop_after":
                return self.hang_up()
            if kind == "fail_after":
                failed = Refusal(500, None, "An unknown error occurred", "api_error")
                with peer.lock:
                    if key and self.command == "POST":
                        peer.keys[key] = ((self.command, path, body), (500, failed.body))
                return self.reply(500, failed.body)
            if kind == "garbage":
                return self.raw(200, b"<html>It works!</html>")
            self.reply(status, answer, replayed, cut=kind == "truncate")

        def for_people(self, path, body):
            try:
                with peer.lock:
                    if self.command == "POST":
                        return self.reply(200, peer.act(path, dict(urllib.parse.parse_qsl(body))))
                    return self.raw(200, peer.page(path).encode(), kind="text/html; charset=utf-8")
            except Refusal as refused:
                self.reply(refused.status, refused.body)
            except (KeyError, AssertionError, ValueError) as wrong:
                self.reply(400, Refusal(400, None, f"Not now, or no such thing: {wrong}").body)

        def once(self, key, request, work):
            """Stripe's idempotency: the first answer again, whatever it was, for the same request."""
            if not key or self.command != "POST":
                return *work(), False
            with peer.lock:
                if key in peer.keys:
                    known, answer = peer.keys[key]
                    if known != request:
                        error = Refusal(400, None, "Keys for idempotent requests can only be used with the same parameters they were first used with.", "idempotency_error")
                        return error.status, error.body, False
                    if answer is None:
                        error = Refusal(409, "idempotency_key_in_use", "There is currently another in-progress request using this Idempotent Key.", "idempotency_error")
                        return error.status, error.body, False
                    return *answer, True
                peer.keys[key] = (request, None)
            answer = work()
            with peer.lock:
                if answer[0] == 401:
                    del peer.keys[key]
                else:
                    peer.keys[key] = (request, copy.deepcopy(answer))
            return *answer, False

        def work(self, path, query, body, refusal):
            try:
                if not self.headers.get("Authorization", "").startswith("Bearer sk_"):
                    raise Refusal(401, None, "You did not provide an API key.")
                if "Stripe-Version" not in self.headers:
                    raise Refusal(400, None, "No version is pinned")
                if refusal:
                    raise refusal
                with peer.lock:
                    return peer.answer(self.command, path, query, body)
            except Refusal as refused:
                return refused.status, refused.body
            except KeyError as missing:
                return 400, Refusal(400, "parameter_missing", f"Missing required param: {missing}.").body

        def reply(self, status, answer, replayed=False, cut=False):
            self.raw(status, json.dumps(answer, indent=2).encode(), replayed, cut)

        def raw(self, status, content, replayed=False, cut=False, kind="application/json"):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Request-Id", f"req_{next(peer.numbers):06}")
            if replayed:
                self.send_header("Idempotent-Replayed", "true")
            if status == 429:
                self.send_header("Retry-After", "1")
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if cut else content)
            if cut:
                self.hang_up()

        def hang_up(self):
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)

    return Handler


def main():
    port, *hook = sys.argv[1:] or ["0"]
    with Peer(int(port), *hook) as peer:
        print(peer.url, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
