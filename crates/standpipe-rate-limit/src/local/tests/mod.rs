mod model;
mod rules;
mod sim;
