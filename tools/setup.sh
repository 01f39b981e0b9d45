#!/usr/bin/env bash
# Installs what tests and the demo need and this machine lacks, on Debian and Ubuntu. Says first what, and why.
#
#   tools/setup.sh                  everything
#   tools/setup.sh rabbitmq gcc     only these
#
# When nothing is missing it says nothing and takes no time.
set -euo pipefail
cd "$(dirname "$0")/.."

# The last version that runs on the Node.js 18 of Debian 12; from 3.37 on Azurite wants 22.
azurite_version=3.35.0
azurite_dir=.cache/npm
duckdb_version=1.5.6-r.1
duckdb_dir=.cache/duckdb

packages=() # from apt
reasons=()
azurite=no
duckdb=no

want() { # want PACKAGES REASON
	# shellcheck disable=SC2206 # several packages in one string
	packages+=($1)
	reasons+=("$(printf '%-18s %s' "$1" "$2")")
}

has() { # has COMMAND [PATTERN]: in PATH, or where Debian puts it out of an ordinary user's PATH
	command -v "$1" >/dev/null || compgen -G "${2:-/usr/sbin/$1}" >/dev/null
}

check() {
	case $1 in
	gcc)
		# The race detector is linked by a C compiler.
		has gcc || has clang || want "gcc libc6-dev" 'to link test binaries with the race detector'
		;;
	rabbitmq)
		has rabbitmq-server || want rabbitmq-server 'the broker that feeds read from'
		;;
	mosquitto)
		has mosquitto || want mosquitto 'an MQTT broker that feeds write to'
		;;
	postgresql)
		has postgres '/usr/lib/postgresql/*/bin/postgres' || want postgresql 'the database that feeds write to'
		;;
	python)
		/usr/bin/python3 -c 'import grpc, google.protobuf' 2>/dev/null || want 'python3-grpcio python3-protobuf' 'to run the plugin in Python'
		;;
	skopeo)
		has skopeo || want skopeo 'to check the image'
		;;
	prometheus)
		has promtool || want prometheus 'to check alert rules'
		;;
	shellcheck)
		has shellcheck || want shellcheck 'to check the commands of documents'
		;;
	azurite)
		if [[ ! -x $azurite_dir/node_modules/.bin/azurite-blob || $(cat $azurite_dir/version 2>/dev/null) != "$azurite_version" ]]; then
			azurite=yes
			has node || want nodejs 'to run Azurite, which stands in for Azure Blob Storage'
			has npm || want npm 'to install Azurite'
		fi
		;;
	duckdb)
		if [[ ! -d $duckdb_dir/node_modules || $(cat $duckdb_dir/version 2>/dev/null) != "$duckdb_version" ]]; then
			duckdb=yes
			has node || want nodejs 'to run DuckDB, which reads the Parquet files of tests'
			has npm || want npm 'to install DuckDB'
		fi
		;;
	*)
		echo "setup: do not know what '$1' is" >&2
		exit 2
		;;
	esac
}

(($#)) || set -- gcc rabbitmq mosquitto postgresql prometheus shellcheck skopeo python azurite duckdb
for thing; do check "$thing"; done
if ((!${#packages[@]})) && [[ $azurite == no && $duckdb == no ]]; then
	exit 0
fi

root=()
if ((${#packages[@]})); then
	echo "setup: installing from the distribution's packages:"
	printf '         %s\n' "${reasons[@]}"
	echo "       Their services are not started and not enabled: tests start servers of their own."
	if ! has apt-get; then
		echo "setup: this machine has no apt-get: please install the above by other means" >&2
		exit 1
	fi
	if ((EUID != 0)); then
		if ! has sudo; then
			echo "setup: run as root, or install sudo: apt-get install ${packages[*]}" >&2
			exit 1
		fi
		root=(sudo)
	fi
fi
if [[ $azurite == yes || $duckdb == yes ]]; then
	echo "setup: installing from npm, into .cache of this working copy:"
	[[ $azurite == no ]] || printf '         %-18s %s\n' "azurite $azurite_version" 'stands in for Azure Blob Storage'
	[[ $duckdb == no ]] || printf '         %-18s %s\n' "duckdb $duckdb_version" 'reads the Parquet files of tests'
fi
echo "       This takes a minute or a few."
mkdir -p .cache
log=.cache/setup.log

as_root() { "${root[@]}" "$@"; }

# logged runs a command that has much to say, and shows what it said when it fails.
logged() {
	if ! "$@" >"$log" 2>&1; then
		echo "setup: failed: $*" >&2
		tail -n 40 "$log" >&2
		exit 1
	fi
}

# Debian's packages start their services unless a policy forbids it. One that exists already is the owner's decision.
policy=/usr/sbin/policy-rc.d
policy_is_ours=no
remove_policy() {
	if [[ $policy_is_ours == yes ]]; then
		as_root rm -f $policy
		policy_is_ours=no
	fi
}

install_packages() {
	trap remove_policy EXIT
	if [[ ! -e $policy ]]; then
		policy_is_ours=yes
		printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
		as_root chmod 755 $policy
	fi
	local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
	logged as_root "${apt[@]}" update
	logged as_root "${apt[@]}" install -y --no-install-recommends "${packages[@]}"
	remove_policy
	trap - EXIT
	# Nor shall they start with the next boot.
	if [[ -d /run/systemd/system ]]; then
		local package
		for package in "${packages[@]}"; do
			case $package in
			rabbitmq-server | mosquitto | postgresql | prometheus) as_root systemctl disable --quiet "$package.service" ;;
			esac
		done
	fi
}

# install_npm DIRECTORY VERSION PACKAGE
install_npm() {
	rm -rf "$1"
	mkdir -p "$1"
	logged npm install --prefix "$1" --no-audit --no-fund --ignore-scripts --loglevel=error "$3@$2"
	echo "$2" >"$1/version"
}

if ((${#packages[@]})); then install_packages; fi
if [[ $azurite == yes ]]; then install_npm $azurite_dir $azurite_version azurite; fi
if [[ $duckdb == yes ]]; then install_npm $duckdb_dir $duckdb_version @duckdb/node-api; fi
echo "setup: done"
