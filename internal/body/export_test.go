package body

import "reflect"

// The bound of the memory that a body may take.
const (
	MemoryFactor = memoryFactor
	MemoryBase   = memoryBase
)

// PlanOf makes the plan of t and returns why nothing can carry it.
func PlanOf(t reflect.Type) error { return planOf(t).err }

// ForgetPlan has the plan of t made anew when it is next met.
func ForgetPlan(t reflect.Type) { plans.Delete(t) }

// KeyStep names a key of a map in errors.
func KeyStep(k reflect.Value) string { return keyStep(k) }
