# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small iptables-restore, which takes scripts at their word."""

from __future__ import annotations

import copy

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._network.iptables import Table, Tables


def restore(tables: Tables, script: str) -> Tables:
    """What iptables-restore --noflush makes of it; a command that the kernel would refuse is an error."""
    after = copy.deepcopy(tables)
    table = Table({}, [])
    for line in script.splitlines():
        word, _space, rest = line.partition(" ")
        chain, _space, rule = rest.partition(" ")
        if line.startswith("*"):
            table = after[line[1:]]
        elif line.startswith(":"):
            table.chains[word[1:]] = chain
            # Naming a chain that is not built in empties it.
            if chain == "-":
                table.rules[:] = [other for other in table.rules if not other.startswith("-A {0} ".format(word[1:]))]
        elif word == "-A":
            table.rules.append(line)
        elif word in ("-C", "-D"):
            at = table.rules.index("-A " + rest)
            del table.rules[at : at + (word == "-D")]
        elif word == "-I":
            number, _space, rule = rule.partition(" ") if rule[0].isdigit() else ("1", "", rule)
            place = [at for at, other in enumerate(table.rules) if other.startswith("-A {0} ".format(chain))]
            place.append(place[-1] + 1 if place else len(table.rules))
            table.rules.insert(place[int(number) - 1], "-A {0} {1}".format(chain, rule))
        elif word == "-F":
            table.rules[:] = [other for other in table.rules if not other.startswith("-A {0} ".format(chain))]
        elif word == "-X":
            assert not any(other.startswith("-A {0} ".format(chain)) for other in table.rules), line
            assert not any(other.endswith(" -j " + chain) for other in table.rules), line
            del table.chains[chain]
        else:
            assert line == "COMMIT"
    return after
