"""StoryBoard, by its RabbitMQ notifications or its REST API."""

from firehose.sources.storyboard.storyboard import SOURCE

__all__ = ["SOURCE"]
