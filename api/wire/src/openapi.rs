//! The OpenAPI 3.1 document, built from the descriptions that stand beside the routes.

use rialto_types::error::Problem;
use rialto_types::object::{Kind, Metadata};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// The methods that the API uses.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Method {
    Get,
    Put,
    Post,
    Delete,
}

impl Method {
    fn as_str(self) -> &'static str {
        match self {
            Method::Get => "get",
            Method::Put => "put",
            Method::Post => "post",
            Method::Delete => "delete",
        }
    }
}

type SchemaOf = fn(&mut Document) -> Value;

/// What a request carries.
pub(crate) enum Body {
    Schema(Value),
    Type(SchemaOf),
}

impl Body {
    pub(crate) fn of<T: JsonSchema>() -> Self {
        Body::Type(|document| document.schema::<T>())
    }
}

/// What an answer carries.
pub(crate) enum Content {
    Json(Body),
    Text(&'static str),
    Nothing,
}

/// What the document says of one route.
pub(crate) struct Description {
    method: Method,
    pub(crate) path: String,
    id: String,
    summary: String,
    query: Option<SchemaOf>,
    body: Option<Body>,
    answers: Vec<(u16, Content)>,
    is_open: bool,
}

impl Description {
    pub(crate) fn new(method: Method, path: &str, id: String, summary: String) -> Self {
        let path = path.to_string();
        let answers = Vec::new();
        Self { method, path, id, summary, query: None, body: None, answers, is_open: false }
    }

    /// The query parameters are the type's fields.
    pub(crate) fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(|document| document.inline_schema::<T>());
        self
    }

    pub(crate) fn body(mut self, body: Body) -> Self {
        self.body = Some(body);
        self
    }

    pub(crate) fn answer<T: JsonSchema>(mut self, status: u16) -> Self {
        self.answers.push((status, Content::Json(Body::of::<T>())));
        self
    }

    /// An answer without a body.
    pub(crate) fn answer_nothing(mut self, status: u16) -> Self {
        self.answers.push((status, Content::Nothing));
        self
    }

    /// An answer that is text of a media type.
    pub(crate) fn answer_text(mut self, status: u16, media_type: &'static str) -> Self {
        self.answers.push((status, Content::Text(media_type)));
        self
    }

    /// Asked without a token or a session.
    pub(crate) fn open(mut self) -> Self {
        self.is_open = true;
        self
    }

    pub(crate) fn answer_schema(mut self, status: u16, schema: Value) -> Self {
        self.answers.push((status, Content::Json(Body::Schema(schema))));
        self
    }
}

/// The document under construction.
pub(crate) struct Document {
    generator: SchemaGenerator,
    paths: Map<String, Value>,
    objects: Map<String, Value>,
}

impl Document {
    pub(crate) fn new() -> Self {
        let mut settings = SchemaSettings::draft2020_12();
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
        Self { generator: settings.into_generator(), paths: Map::new(), objects: Map::new() }
    }

    /// The type's schema, or a reference to it.
    pub(crate) fn schema<T: JsonSchema>(&mut self) -> Value {
        self.generator.subschema_for::<T>().to_value()
    }

    fn inline_schema<T: JsonSchema>(&mut self) -> Value {
        T::json_schema(&mut self.generator).to_value()
    }

    /// The document of a kind, with its own spec and status.
    pub(crate) fn object_schema(
        &mut self,
        kind: Kind,
        spec: Value,
        status: Option<Value>,
    ) -> Value {
        let metadata = self.schema::<Metadata>();
        let mut properties = Map::new();
        properties.insert("apiVersion".into(), json!({ "const": kind.api_version() }));
        properties.insert("kind".into(), json!({ "const": kind.as_str() }));
        properties.insert("metadata".into(), metadata);
        properties.insert("spec".into(), spec);
        if let Some(status) = status {
            properties.insert("status".into(), status);
        }
        let schema = json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["apiVersion", "kind", "metadata"],
            "properties": properties,
        });
        self.objects.insert(kind.as_str().into(), schema);
        json!({ "$ref": format!("#/components/schemas/{}", kind.as_str()) })
    }

    pub(crate) fn add(&mut self, description: Description) {
        let mut operation = Map::new();
        operation.insert("operationId".into(), json!(description.id));
        operation.insert("summary".into(), json!(description.summary));
        operation.insert("parameters".into(), self.parameters(&description));
        if let Some(body) = description.body {
            let schema = self.resolve(body);
            let content = json!({ "application/json": { "schema": schema } });
            operation.insert("requestBody".into(), json!({ "required": true, "content": content }));
        }
        let mut responses = Map::new();
        for (status, content) in description.answers {
            let mut response = json!({ "description": "Done." });
            match content {
                Content::Json(body) => {
                    let schema = self.resolve(body);
                    response["content"] = json!({ "application/json": { "schema": schema } });
                }
                Content::Text(media_type) => {
                    let schema = json!({ "schema": { "type": "string" } });
                    response["content"] = json!({ (media_type): schema });
                }
                Content::Nothing => {}
            }
            responses.insert(status.to_string(), response);
        }
        if description.is_open {
            operation.insert("security".into(), json!([]));
        }
        let problem = self.schema::<Problem>();
        let content = json!({ "application/problem+json": { "schema": problem } });
        let refused = json!({ "description": "Refused, with the reason.", "content": content });
        responses.insert("default".into(), refused);
        operation.insert("responses".into(), Value::Object(responses));
        let path = self.paths.entry(description.path).or_insert_with(|| json!({}));
        path[description.method.as_str()] = Value::Object(operation);
    }

    fn resolve(&mut self, body: Body) -> Value {
        match body {
            Body::Schema(schema) => schema,
            Body::Type(schema_of) => schema_of(self),
        }
    }

    fn parameters(&mut self, description: &Description) -> Value {
        let mut parameters = Vec::new();
        for segment in description.path.split('/') {
            let name = segment.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
            if let Some(name) = name {
                let schema = json!({ "type": "string" });
                parameters.push(
                    json!({ "name": name, "in": "path", "required": true, "schema": schema }),
                );
            }
        }
        let query = description.query.map(|schema_of| schema_of(self)).unwrap_or_default();
        for (name, schema) in query["properties"].as_object().into_iter().flatten() {
            let mut schema = schema.clone();
            let text = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            let mut parameter = json!({ "name": name, "in": "query", "schema": schema });
            if let Some(text) = text {
                parameter["description"] = text;
            }
            parameters.push(parameter);
        }
        Value::Array(parameters)
    }

    pub(crate) fn into_value(mut self) -> Value {
        let mut schemas = self.generator.take_definitions(true);
        schemas.extend(self.objects);
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Rialto",
                "version": "v1",
                "description": "The federation's one API: what the command line and the page use.",
                "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            },
            "security": [{ "token": [] }, { "session": [] }],
            "paths": self.paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": {
                    "token": { "type": "http", "scheme": "bearer" },
                    "session": { "type": "apiKey", "in": "cookie", "name": "rialto_session" },
                },
            },
        })
    }
}
