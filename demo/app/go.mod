module immutablerelease.io/demo/app

go 1.24
