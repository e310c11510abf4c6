#include "faults/service.h"
