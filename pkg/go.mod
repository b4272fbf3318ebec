module example.com/warren/pkg

go 1.26.0
