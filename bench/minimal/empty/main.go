// The empty program, which is what the others' sizes are compared with.
package main

func main() {}
