package main

// The page about what changes with the load.
const (
	flatTitle     = "Cost as the load grows"
	flatPageFile  = "performance-flat.md"
	flatChartFile = "performance-flat.svg"
)
