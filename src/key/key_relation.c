/*
 * key_relation.c
 *		Where the room's tables and the types of its answers are.
 *
 * They are members of the extension, and found by their names once a session,
 * or again after one of the tables has changed.
 */
#include "postgres.h"

#include "utils/inval.h"
#include "utils/lsyscache.h"

#include "base/forget.h"
#include "base/named.h"
#include "key/key_inner.h"

/* InvalidOid: to be looked up; all of them are if anchor_relid is. */
static Oid	anchor_relid = InvalidOid;
static Oid	reservation_relid = InvalidOid;
static Oid	scope_relid = InvalidOid;
static Oid	runtime_role_relid = InvalidOid;
static Oid	sighting_relid = InvalidOid;
static Oid	suspect_relid = InvalidOid;
static Oid	claim_result_type = InvalidOid;
static Oid	send_result_type = InvalidOid;

static void
forget_relations(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || relid == scope_relid || relid == anchor_relid ||
		relid == reservation_relid || relid == runtime_role_relid ||
		relid == sighting_relid || relid == suspect_relid)
		anchor_relid = InvalidOid;
}

/* Look up the OIDs, once until one of the tables changes. */
static void
find_relations(void)
{
	if (OidIsValid(anchor_relid))
		return;
	idem_forget_with(forget_relations);
	scope_relid = idem_extension_relation("scope");
	runtime_role_relid = idem_extension_relation("runtime_role");
	reservation_relid = idem_extension_relation("reservation");
	sighting_relid = idem_extension_relation("sighting");
	suspect_relid = idem_extension_relation("suspect");
	claim_result_type = get_rel_type_id(idem_extension_relation("claim_result"));
	send_result_type = get_rel_type_id(idem_extension_relation("send_result"));
	anchor_relid = idem_extension_relation("anchor");
}

/* The OID of idem.scope */
Oid
idem_key_scope_relid(void)
{
	find_relations();
	return scope_relid;
}

/* The OID of idem.runtime_role */
Oid
idem_key_runtime_role_relid(void)
{
	find_relations();
	return runtime_role_relid;
}

/* The OID of idem.anchor */
Oid
idem_key_anchor_relid(void)
{
	find_relations();
	return anchor_relid;
}

/* The OID of idem.reservation */
Oid
idem_key_reservation_relid(void)
{
	find_relations();
	return reservation_relid;
}

/* The OID of idem.sighting */
Oid
idem_key_sighting_relid(void)
{
	find_relations();
	return sighting_relid;
}

/* The OID of idem.suspect */
Oid
idem_key_suspect_relid(void)
{
	find_relations();
	return suspect_relid;
}

/* idem.claim_result */
Oid
idem_key_claim_result_type(void)
{
	find_relations();
	return claim_result_type;
}

/* idem.send_result */
Oid
idem_key_send_result_type(void)
{
	find_relations();
	return send_result_type;
}
