// Package e2e proves the packaged feed from outside: the real binary between a
// real RabbitMQ, Mosquitto and Azurite, with a witness that counts what
// arrives, while nothing fails and while everything does.
package e2e
