"""One question to a card in each module; `training.validation.battery` asks them all."""
