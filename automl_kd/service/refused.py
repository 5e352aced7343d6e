"""Options of a search that cannot be given over the network, and why."""

REFUSED = {
    "storage": "is the service's own",
    "allow_code": "nothing that comes over the network is run",
    "address": "is for the command line",
    "per_trial": "is for the command line",
    "extend": "extend a search that is there by POST /searches/{name}/extend",
    "from_study": "is for the command line",
}
