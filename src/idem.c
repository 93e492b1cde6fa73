/*
 * idem.c
 *		Module magic, and one call a room when the library is loaded.
 */
#include "postgres.h"

#include "fmgr.h"

#include "base/moved.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	idem_moved_init();
}
