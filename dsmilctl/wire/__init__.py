"""The DSMIL API, version 2, as values: what travels between a server and its clients.

Server, SDK, simulator and OpenAPI document share these types, so that none of them can drift.
Every request refuses unknown fields; every answer ignores what a newer server adds.
"""
