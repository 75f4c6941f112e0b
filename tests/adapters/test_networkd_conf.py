"""networkd.conf: which files count, and which wins."""

import pytest

from eni_failover.adapters.networkd_conf import NetworkdSettings, read_settings

BOTH_KEPT = NetworkdSettings(removes_rules=False, removes_routes=False)


def write(root, path, text):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_without_a_file_networkd_removes_both(tmp_path):
    """These are its defaults."""
    assert read_settings(tmp_path) == NetworkdSettings(removes_rules=True, removes_routes=True)


def test_the_drop_in_that_this_project_ships_keeps_both(tmp_path, request):
    """deploy/systemd/networkd-eni-failover.conf says what the check asks for."""
    shipped = request.config.rootpath / "deploy" / "systemd" / "networkd-eni-failover.conf"
    write(tmp_path, "etc/systemd/networkd.conf.d/eni-failover.conf", shipped.read_text())

    assert read_settings(tmp_path) == BOTH_KEPT


def test_only_the_first_main_file_counts(tmp_path):
    """One in /etc hides the vendor's."""
    write(tmp_path, "usr/lib/systemd/networkd.conf", "[Network]\nManageForeignRoutes=no\n")
    vendors = read_settings(tmp_path)
    write(tmp_path, "etc/systemd/networkd.conf", "[Network]\nManageForeignRoutingPolicyRules=no\n")

    assert vendors == NetworkdSettings(removes_rules=True, removes_routes=False)
    assert read_settings(tmp_path) == NetworkdSettings(removes_rules=False, removes_routes=True)


def test_drop_ins_are_read_by_name_after_the_main_file(tmp_path):
    """The last name wins, whatever directory it is in."""
    write(tmp_path, "etc/systemd/networkd.conf", "[Network]\nManageForeignRoutes=yes\n")
    write(tmp_path, "etc/systemd/networkd.conf.d/10-a.conf", "[Network]\nManageForeignRoutes=no\n")
    first = read_settings(tmp_path)
    write(tmp_path, "usr/lib/systemd/networkd.conf.d/20-b.conf", "[Network]\nManageForeignRoutes=yes\n")

    assert (first.removes_routes, read_settings(tmp_path).removes_routes) == (False, True)


def test_of_drop_ins_with_one_name_the_administrators_counts(tmp_path):
    """And a link to /dev/null masks the vendor's."""
    write(tmp_path, "usr/lib/systemd/networkd.conf.d/10-a.conf", "[Network]\nManageForeignRoutes=no\n")
    (tmp_path / "etc/systemd/networkd.conf.d").mkdir(parents=True)
    (tmp_path / "etc/systemd/networkd.conf.d/10-a.conf").symlink_to("/dev/null")

    assert read_settings(tmp_path).removes_routes is True


@pytest.mark.parametrize(
    "text",
    [
        "# [Network]\nManageForeignRoutes=no\n",
        "[DHCPv4]\nManageForeignRoutes=no\n",
        "[Network]\n#ManageForeignRoutes=no\n",
        "[Network]\nManageForeignRoutes=yes\n",
    ],
)
def test_what_is_not_said_in_its_section_is_not_said(tmp_path, text):
    """Comments, other sections, and yes."""
    write(tmp_path, "etc/systemd/networkd.conf", text)

    assert read_settings(tmp_path).removes_routes is True


@pytest.mark.parametrize("word", ["no", "No", "false", "off", "0", "n", "f"])
def test_every_spelling_of_no_is_known(tmp_path, word):
    """Those of systemd.syntax(7), with blanks around."""
    write(tmp_path, "etc/systemd/networkd.conf", f"[Network]\n ManageForeignRoutes = {word} \n")

    assert read_settings(tmp_path).removes_routes is False
