/*
 * forget.h
 *		Who is told when a table, or its rows, may have changed.
 */
#ifndef IDEM_FORGET_H
#define IDEM_FORGET_H

#include "utils/inval.h"

extern void idem_forget_with(RelcacheCallbackFunction forget);

#endif							/* IDEM_FORGET_H */
