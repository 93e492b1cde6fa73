# jars.sh - the class path of a Java client, for run.sh and test/proof/clients.sh
#
# $unpacked is a folder with unpacked packages of Debian, or empty.

# Hibernate and EclipseLink bring JPA in two versions, each its own first.
jars()
{
	spec="geronimo-jpa_2.0_spec hibernate-core hibernate-commons-annotations"
	case $1 in
		EclipseLink*)	spec="eclipselink-jpa-2.1-spec eclipselink javax.json
			org.eclipse.persistence.jpa.jpql" ;;
	esac
	for jar in $spec postgresql dom4j slf4j-api slf4j-nop javassist cglib \
		geronimo-jta-1.2-spec commons-collections3 antlr
	do
		for file in "$unpacked/usr/share/java/$jar.jar" "/usr/share/java/$jar.jar"; do
			[ ! -e "$file" ] || printf '%s:' "$file"
		done
	done
}
