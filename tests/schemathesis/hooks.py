"""Who sends what. Nobody of the cast ends its own session or account: whoever does that is new each time."""
import json
import os
import urllib.request
import uuid

import schemathesis

URL = os.environ["FUZZ_URL"]
CAST = json.loads(os.environ["FUZZ_CAST"])
PASSWORD = "quiet copper lantern"

ADMINISTRATION = {
    "GET /users", "POST /users/{id}/suspend", "POST /users/{id}/reinstate", "POST /reviews/{id}/hide",
    "POST /orders/{id}/dispute/decision",
}
SELLING = {"POST /payments/{id}/refunds"}
LEAVING = {"POST /users/logout", "PUT /users/{id}", "PATCH /users/{id}", "DELETE /users/{id}"}


def post(path, body):
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), headers, method="POST")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def newcomer():
    """The tokens of an account that nobody else uses."""
    name = f"passing-{uuid.uuid4().hex[:12]}"
    post("/users/register", {"username": name, "email": f"{name}@example.com", "password": PASSWORD, "role": "both"})
    return post("/users/login", {"username": name, "password": PASSWORD})


@schemathesis.auth(refresh_interval=None)
class Caller:
    """The one whose business an operation is."""

    def get(self, case, context):
        label = case.operation.label
        if label in LEAVING:
            return newcomer()["access_token"]
        if label in ADMINISTRATION or case.path.startswith("/admin/"):
            return CAST["ADMIN"]
        selling = label in SELLING or case.path.startswith(("/services", "/profiles", "/payouts"))
        return CAST["SELLER" if selling else "BUYER"]

    def set(self, case, token, context):
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {token}"}


@schemathesis.hook
def before_call(context, case, kwargs):
    """Suspends strangers only."""
    cast = {CAST["SELLER_ID"], CAST["BUYER_ID"], "me"}
    if case.operation.label == "POST /users/{id}/suspend" and (case.path_parameters or {}).get("id") in cast:
        case.path_parameters["id"] = newcomer()["user"]["id"]
