package protowork

import (
	"github.com/viaduct-go/viaduct/bench/internal/wire"
	"github.com/viaduct-go/viaduct/bench/internal/work"
)

func toWire(r work.Record) *wire.Record {
	return &wire.Record{
		Id: int64(r.ID), Name: r.Name, Email: r.Email, Age: int64(r.Age), Balance: r.Balance,
		Active: r.Active, Created: r.Created, Tags: r.Tags, Photo: r.Photo, Score: r.Score,
	}
}

func fromWire(r *wire.Record) work.Record {
	return work.Record{
		ID: int(r.Id), Name: r.Name, Email: r.Email, Age: int(r.Age), Balance: r.Balance,
		Active: r.Active, Created: r.Created, Tags: r.Tags, Photo: r.Photo, Score: r.Score,
	}
}
