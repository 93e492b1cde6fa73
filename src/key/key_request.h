/*
 * key_request.h
 *		Requests, and what of them has to agree on a repeat.
 */
#ifndef IDEM_KEY_REQUEST_H
#define IDEM_KEY_REQUEST_H

#include "utils/array.h"
#include "utils/jsonb.h"

#include "key/key.h"

/* key_fingerprint.c */
extern bytea *idem_key_fingerprint(const IdemScope *scope, Jsonb *request,
								   bytea *first);
extern bytea *idem_key_fingerprint_stored(const IdemScope *scope,
										  Jsonb *request);
extern bool idem_key_has_fields(const IdemScope *scope, Jsonb *request);
extern ArrayType *idem_key_request_diff(const IdemScope *scope, Jsonb *request,
										bytea *first);
extern bool idem_key_same_value(const JsonbValue *a, const JsonbValue *b);
extern bool idem_key_number(const JsonbValue *value, Datum *number);

#endif							/* IDEM_KEY_REQUEST_H */
