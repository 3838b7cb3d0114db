package body_test

// Args and Reply are those of the services of package testkit.
type (
	Args  struct{ A, B int }
	Reply struct{ C int }
)
