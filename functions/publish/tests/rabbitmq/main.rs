//! Publishing to a real RabbitMQ: the adapter alone, and the function as Lambda runs it.

mod adapter;
mod function;
mod support;
