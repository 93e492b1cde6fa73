#!/bin/sh
# package.sh - idem as packagers build it and as users install it
#
#	sh test/proof/package.sh [deb | rpm | pgxn | cnpg]...
#
# deb: dpkg-buildpackage on the tree as it is, lintian; the package installed in
#	a Debian that has nothing else, where a database is made, the extension is
#	created, also in its first version and updated, the README's first use is
#	pasted, and installcheck passes as a superuser not called postgres.
# rpm: rpmbuild of packaging/idem.spec, from the archive that make dist makes.
# pgxn: that archive, installed and checked by PGXN's own client.
# cnpg: share/ and lib/ of packaging/cnpg, found by the search paths of 18.
#
# All of them unless told otherwise.  Needs root, for debootstrap and chroot;
# the roots are kept in $IDEM_CACHE (see idem_cache in lib.sh), and what is
# built is gone at the end.  The archive is of what is committed.

set -u
here=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
. "$here/test/lib.sh"
. "$here/test/proof/roots.sh"

main()
{
	case ${1:-} in
		-h | --help)	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; exit 0 ;;
	esac
	[ $# -gt 0 ] || set -- deb rpm pgxn cnpg
	for kind in "$@"; do
		case $kind in
			deb | rpm | pgxn | cnpg)	;;
			*)	die "unknown package $kind" ;;
		esac
	done
	[ "$(id -u)" -eq 0 ] || die "debootstrap and chroot need root"
	idem_begin "$here"
	idem_cache
	version=$(sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" "$here/idem.control")
	(cd "$here" && git archive --format=zip --prefix="idem-$version/" \
		-o "$tmp/idem-$version.zip" HEAD) || die "no archive: not a clone"
	bad=0
	for kind in "$@"; do
		log=$cache/package-$kind.log
		if "package_$kind" >"$log" 2>&1; then
			said=$(grep '^=> ' "$log" | sed 's/^=> //' | paste -sd ';' | sed 's/;/; /g')
			say "$kind: $said"
			idem_result "package-$kind" "$said" "as packaged"
		else
			bad=1
			say "$kind: FAILED, all it said: $log"
			tail -n 15 "$log" | sed 's/^/    /'
		fi
	done
	exit $bad
}

# The root in which packages are built, and the tree in it
builder()
{
	place=$cache/package-build
	if [ ! -e "$place.done" ]; then
		make_root 15 bookworm || return 1
		rm -f "$place.done"
		in_root apt-get install -y --no-install-recommends build-essential debhelper \
			postgresql-server-dev-all lintian rpm unzip zip pgxnclient sudo git || return 1
		: >"$place.done"
	fi
	rm -rf "$place/root/package"
	mkdir "$place/root/package"
	cp "$tmp/idem-$version.zip" "$place/root/package/"
	in_root sh -c "cd /root/package && unzip -q idem-$version.zip"
}

# A root with nothing but Debian's smallest set, made of a tarball each time
pristine()
{
	place=$cache/package-pristine
	site=$(mirror)
	if [ ! -e "$place.tar" ]; then
		rm -rf "$place"
		debootstrap --variant=minbase --include=ca-certificates --make-tarball="$place.tar.new" \
			bookworm "$place" "$site" || return 1
		mv "$place.tar.new" "$place.tar"
	fi
	rm -rf "$place"
	debootstrap --variant=minbase --include=ca-certificates --unpack-tarball="$place.tar" \
		bookworm "$place" "$site"
}

package_deb()
{
	builder || return 1
	in_root sh -ec "
		cd /root/package/idem-$version
		dpkg-buildpackage -us -uc -b
		lintian --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs ../*.changes" || return 1
	echo "=> built, lintian without errors and warnings"
	mkdir "$tmp/deb" && cp "$place"/root/package/postgresql-15-idem_*.deb "$tmp/deb/" || return 1
	cp -r "$place/root/package/idem-$version" "$tmp/deb/tree"
	pristine || return 1
	cp -r "$tmp/deb" "$place/root/deb"
	first_use >"$place/root/deb/first_use.sql"
	in_root sh -ec '
		apt-get update
		apt-get install -y --no-install-recommends sudo /root/deb/*.deb
		pg_ctlcluster 15 main start
		trap "pg_ctlcluster 15 main stop -- -t 600" EXIT
		as_server="sudo -u postgres psql -XAtq -v ON_ERROR_STOP=1"
		$as_server -c "CREATE ROLE packager SUPERUSER LOGIN" -c "CREATE DATABASE shop"
		$as_server -c "CREATE DATABASE old"
		$as_server -d old -c "CREATE EXTENSION idem VERSION '"'0.1.0'"'" -c "ALTER EXTENSION idem UPDATE"
		$as_server -v ON_ERROR_STOP=0 -d shop -f - <"/root/deb/first_use.sql" >/root/deb/said 2>&1
		cat /root/deb/said' || return 1
	grep -q 'has no claim of key' "$place/root/deb/said" &&
		[ "$(grep -c '^psql.*ERROR:' "$place/root/deb/said")" = 2 ] || return 1
	echo "=> installed in a bare Debian, first use as it is pasted"
	in_root sh -ec '
		apt-get install -y --no-install-recommends make postgresql-server-dev-15 libipc-run-perl
		useradd packager
		chown -R packager /root/deb/tree && chmod 755 /root
		pg_ctlcluster 15 main start
		trap "pg_ctlcluster 15 main stop -- -t 600" EXIT
		cd /root/deb/tree
		port=$(pg_lsclusters -h | awk "{ print \$3 }")
		sudo -u packager make installcheck PGPORT="$port" PG_CONFIG=/usr/bin/pg_config with_llvm=no' || return 1
	echo "=> $(grep -c '^ok\|^test .* ok' "$log") tests of installcheck as another superuser"
}

# The examples of README.md, of which two are refused
first_use()
{
	perl -ne 'if (/^```(\w*)/) { $in = $1 eq "sql"; next } print if $in' "$here/README.md"
}

package_rpm()
{
	builder || return 1
	in_root sh -ec "
		mkdir -p /root/rpmbuild/SOURCES
		cp /root/package/idem-$version.zip /root/rpmbuild/SOURCES/
		rpmbuild -bb --nodeps --define 'pg_config /usr/bin/pg_config' \
			/root/package/idem-$version/packaging/idem.spec
		rpm -qlp /root/rpmbuild/RPMS/*/idem*.rpm" || return 1
	grep -q '/idem.so$' "$log" && grep -q "/idem--$version.sql\$" "$log" &&
		grep -q "/idem--.*--$version.sql\$" "$log" || return 1
	echo "=> built, with library, control file and scripts"
}

package_pgxn()
{
	builder || return 1
	in_root sh -ec "
		pg_createcluster 15 pgxn
		pg_ctlcluster 15 pgxn start
		trap 'pg_ctlcluster 15 pgxn stop -- -t 600; pg_dropcluster 15 pgxn' EXIT
		cd /root/package
		pgxn install --pg_config /usr/bin/pg_config ./idem-$version.zip
		sudo -u postgres psql -p \$(pg_lsclusters -h | awk '\$2 == \"pgxn\" { print \$3 }') -XAtqc 'CREATE ROLE root SUPERUSER LOGIN'
		PGPORT=\$(pg_lsclusters -h | awk '\$2 == \"pgxn\" { print \$3 }') PGDATABASE=postgres \
			pgxn check --pg_config /usr/bin/pg_config ./idem-$version.zip" || return 1
	echo "=> pgxn install and check"
}

# What the image of packaging/cnpg holds, where the server is told to look
package_cnpg()
{
	place=$cache/postgresql-18
	need_root 18 forky || return 1
	rm -rf "$place/root/cnpg"
	mkdir -p "$place/root/cnpg/share" "$place/root/cnpg/lib"
	tar -C "$src" -cf - . | (mkdir "$place/root/cnpg/tree" && tar -C "$place/root/cnpg/tree" -xf -) || return 1
	cat >"$place/root/cnpg/postgresql.conf" <<-'END'
		listen_addresses = ''
		unix_socket_directories = '/tmp/cnpg'
		extension_control_path = '/tmp/cnpg/share:$system'
		dynamic_library_path = '/tmp/cnpg/lib:$libdir'
	END
	in_root sh -ec '
		config=/usr/lib/postgresql/18/bin/pg_config
		cd /root/cnpg/tree
		make -s -j2 with_llvm=no PG_CONFIG=$config
		make -s install with_llvm=no PG_CONFIG=$config DESTDIR=/root/cnpg/out
		cp -r "/root/cnpg/out$($config --sharedir)/extension" /root/cnpg/share/
		cp "/root/cnpg/out$($config --pkglibdir)/idem.so" /root/cnpg/lib/
		rm -rf /tmp/cnpg && mkdir /tmp/cnpg && cp -r /root/cnpg/share /root/cnpg/lib /tmp/cnpg/
		chown -R postgres /tmp/cnpg
		cd /tmp/cnpg
		as_server="setpriv --reuid=postgres --regid=postgres --clear-groups"
		bin=/usr/lib/postgresql/18/bin
		$as_server $bin/initdb -D data >/dev/null
		cat /root/cnpg/postgresql.conf >>data/postgresql.conf
		$as_server $bin/pg_ctl -w -D data -l log start
		trap "$as_server $bin/pg_ctl -D data -m fast stop; rm -rf /tmp/cnpg" EXIT
		$as_server $bin/psql -h /tmp/cnpg -d postgres -XAtqc "CREATE EXTENSION idem" -c "SELECT idem.from_minor(1999, '"'EUR'"')"' || return 1
	grep -q '^19.99$' "$log" || return 1
	echo "=> created from extension_control_path on 18"
}

main "$@"
