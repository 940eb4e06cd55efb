"""Ansible's runs, shipped by the callback plugin in `callback_plugins/`."""

from firehose.sources.ansible.ansible import SOURCE

__all__ = ["SOURCE"]
