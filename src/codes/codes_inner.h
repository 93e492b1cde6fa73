/*
 * codes_inner.h
 *		What only the files of this room share.
 */
#ifndef IDEM_CODES_INNER_H
#define IDEM_CODES_INNER_H

#include "base/definition.h"
#include "codes/codes_text.h"

/* codes.c */
extern const IdemDefinitionKind idem_codes_kind;
extern void idem_codes_parse(IdemCodeTable *table, const char *name,
							 const IdemDefinition *row);

/* codes_diff.c */
extern List *idem_codes_diff(const IdemCodeTable *before,
							 const IdemCodeTable *after);

#endif							/* IDEM_CODES_INNER_H */
