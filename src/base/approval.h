/*
 * approval.h
 *		What one person may not do alone.
 */
#ifndef IDEM_APPROVAL_H
#define IDEM_APPROVAL_H

#include "nodes/pg_list.h"

extern const char *idem_required_person(const char *action);
extern void idem_need_approval(const char *action, const char *object,
							   List *facts);

#endif							/* IDEM_APPROVAL_H */
