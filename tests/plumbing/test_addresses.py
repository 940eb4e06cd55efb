"""Only plainly public addresses may be reached, unless the operator allowed others."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from firehose.plumbing.addresses import networks, parse, refusal


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1", "loopback"),
        ("127.255.3.4", "loopback"),
        ("::1", "loopback"),
        ("0.0.0.0", "this host"),
        ("::", "this host"),
        ("10.1.2.3", "private"),
        ("172.31.255.255", "private"),
        ("192.168.1.1", "private"),
        ("fd00:ec2::254", "private"),
        ("fec0::1", "private"),
        ("169.254.169.254", "metadata"),
        ("168.63.129.16", "metadata"),
        ("fe80::1", "link-local"),
        ("100.100.100.200", "CGNAT"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("192.0.2.1", "documentation"),
        ("203.0.113.9", "documentation"),
        ("2001:db8::1", "documentation"),
        ("3fff:12::1", "documentation"),
        ("198.19.0.1", "benchmarks"),
        ("::ffff:127.0.0.1", "IPv4 address in IPv6"),
        ("::ffff:8.8.8.8", "IPv4 address in IPv6"),
        ("64:ff9b::7f00:1", "IPv4 address in IPv6"),
        ("64:ff9b:1::1", "IPv4 address in IPv6"),
        ("2002:7f00:1::", "IPv4 address in IPv6"),
        ("2001:0:1::1", "IPv4 address in IPv6"),
        ("::7f00:1", "IPv4 address in IPv6"),
        ("192.0.0.192", "special use"),
        ("2001:20::1", "special use"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("4000::1", "not a public"),
    ],
)
def test_an_inner_address_is_refused(address: str, reason: str) -> None:
    assert reason in refusal(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "104.130.246.32", "2606:4700::1111", "2a00:1450:4001::1"])
def test_a_public_address_may_be_reached(address: str) -> None:
    assert refusal(ip_address(address)) == ""


def test_a_link_local_address_with_a_zone_is_refused() -> None:
    assert refusal(ip_address("fe80::1%eth0")) != ""


def test_the_operator_may_allow_a_network() -> None:
    allowed = networks(["10.1.0.0/16", "hooks.internal", "fd12::/16"])
    assert refusal(ip_address("10.1.2.3"), allowed) == ""
    assert refusal(ip_address("fd12::1"), allowed) == ""
    assert refusal(ip_address("10.2.0.1"), allowed) == "private"


def test_a_name_is_no_address() -> None:
    assert parse("review.example.org") is None
    assert str(parse("[::1]")) == "::1"
