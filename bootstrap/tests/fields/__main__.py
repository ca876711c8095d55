"""Prints every field that AWS keeps and the emulator does not, one a line, of what the product asks AWS for.

Usage: python bootstrap/tests/fields ENDPOINT

Each check creates a resource as the product does, reads it back as the product reads it, and compares. A call
that the emulator does not know, or that fails, is printed too. Nothing is printed when all come back.
"""

from bucket import bucket
from database import database
from domain import certificate, zone
from engine import events, functions, state_machine
from load_balancer import load_balancer
from network import network
from repository import repository
from roles import log_group, roles
from secret import secret
from services import autoscaling, services

# In this order: later ones use what earlier ones created.
CHECKS = [
    network,
    roles,
    log_group,
    repository,
    bucket,
    zone,
    certificate,
    database,
    secret,
    load_balancer,
    services,
    autoscaling,
    functions,
    state_machine,
    events,
]

for check in CHECKS:
    try:
        check()
    except Exception as error:  # A failing call is what this program is there to print.
        print(f"{check.__name__}: {type(error).__name__}: {error}")
