"""Clients: traffic as a mixture of clients, each with its own rate, burstiness and lengths.

`open_clients` generates it from the public files of ServeGen (arXiv:2505.09999), `clients` from a few numbers.
"""

from traces.clients.bundle import folders_within, is_clients
from traces.clients.mixture import Mixture, clients
from traces.clients.recorded import Recorded, open_clients

__all__ = ["Mixture", "Recorded", "clients", "folders_within", "is_clients", "open_clients"]
