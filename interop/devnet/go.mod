module holdfast.test/devnet

go 1.22
