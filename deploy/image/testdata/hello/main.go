// Command hello stands for the binary in tests of the image.
package main

import "fmt"

func main() { fmt.Println("hello") }
