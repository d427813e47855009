#!/usr/bin/env python3
"""localstripe on a port of 127.0.0.1. Its objects and their rules are its own; three things stand in front of them:

- it listens to this machine only;
- parameters that Stripe has and localstripe refuses to know are taken out;
- idempotency keys, which it ignores, mean what they mean at Stripe: the first answer again.

Usage: with_localstripe.py PORT       (in an environment that has localstripe)
"""
import asyncio
import sys

from aiohttp import web
from localstripe import server

UNKNOWN = ("transfer_group", "types", "automatic_payment_methods", "return_url", "created")

read_post_data = server.get_post_data
answers = {}


async def known_post_data(request, remove_auth=True):
    data = await read_post_data(request, remove_auth)
    for name in UNKNOWN:
        (data or {}).pop(name, None)
    return data


@web.middleware
async def keep_answers(request, handler):
    key = request.headers.get("Idempotency-Key")
    if key is None or request.method != "POST":
        return await handler(request)
    said = (request.path, await request.read())
    if key in answers:
        first, answer = answers[key]
        if first != said:
            return web.json_response({"error": {"type": "idempotency_error", "message": "other parameters"}}, status=400)
        status, body = await asyncio.shield(answer)
        return web.Response(status=status, body=body, content_type="application/json", headers={"Idempotent-Replayed": "true"})
    answer = asyncio.get_running_loop().create_future()
    answers[key] = (said, answer)
    response = await handler(request)
    answer.set_result((response.status, response.body))
    return response


server.get_post_data = known_post_data
server.app.middlewares.insert(0, keep_answers)
web.run_app(server.app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
