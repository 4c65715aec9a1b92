"""The one place that states the version: add-on, worker and package read it here."""

VERSION = "0.1.0"
PROTOCOL = 1  #: version of the JSON-lines protocol between add-on and worker
