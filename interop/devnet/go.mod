module holdfast.test/devnet

go 1.24.0
