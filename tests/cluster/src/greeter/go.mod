module greeter

go 1.26.0
