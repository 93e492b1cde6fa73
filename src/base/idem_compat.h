/*
 * idem_compat.h
 *		What differs between server versions, written as the newest server
 *		has it and made available on the older ones.
 */
#ifndef IDEM_COMPAT_H
#define IDEM_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "idem needs PostgreSQL 15 or later"
#endif

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#endif							/* IDEM_COMPAT_H */
