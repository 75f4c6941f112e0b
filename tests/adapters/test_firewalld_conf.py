"""firewalld's default zone, and who is bound to another one."""

import pytest

from eni_failover.adapters.firewalld_conf import read_zones


def host(root, conf, **zones):
    (root / "etc/firewalld/zones").mkdir(parents=True)
    (root / "etc/firewalld/firewalld.conf").write_text(conf)
    for name, links in zones.items():
        inner = "".join(f'  <interface name="{link}"/>\n' for link in links)
        (root / f"etc/firewalld/zones/{name}.xml").write_text(f"<zone>\n{inner}</zone>\n")
    return root


def test_links_that_are_bound_to_another_zone_are_found(tmp_path):
    """A new link is in the default zone, which may be closed."""
    zones = read_zones(host(tmp_path, "# x\nDefaultZone=drop\n", trusted=["ens5"], drop=["ens9"], work=[]))

    assert (zones.default, zones.others) == ("drop", {"trusted": ("ens5",)})


def test_without_a_word_the_default_zone_is_public(tmp_path):
    """As firewalld has it."""
    assert read_zones(host(tmp_path, "")).default == "public"


def test_files_that_may_not_be_read_are_an_error(tmp_path):
    """Most distributions keep them for root."""
    with pytest.raises(OSError, match="No such file"):
        read_zones(tmp_path)
