; Definitions
(class_declaration name: (type_identifier) @name) @definition.class
(abstract_class_declaration name: (type_identifier) @name) @definition.class
(class name: (type_identifier) @name) @definition.class
(interface_declaration name: (type_identifier) @name) @definition.interface
(type_alias_declaration name: (type_identifier) @name) @definition.type
(enum_declaration name: (identifier) @name) @definition.enum
(internal_module name: [(identifier) (nested_identifier)] @name) @definition.module
(module name: (identifier) @name) @definition.module
(method_definition name: [(property_identifier) (private_property_identifier)] @name) @definition.method
(abstract_method_signature name: (property_identifier) @name) @definition.method
(method_signature name: (property_identifier) @name) @definition.method
(public_field_definition
  name: [(property_identifier) (private_property_identifier)] @name
  value: [(arrow_function) (function_expression)]) @definition.method
(function_declaration name: (identifier) @name) @definition.function
(function_signature name: (identifier) @name) @definition.function
(generator_function_declaration name: (identifier) @name) @definition.function
(variable_declarator
  name: (identifier) @name
  value: [(arrow_function) (function_expression) (generator_function)]) @definition.function
(assignment_expression
  left: (member_expression property: (property_identifier) @name)
  right: [(arrow_function) (function_expression) (generator_function)]) @definition.function
(export_statement
  declaration: (lexical_declaration (variable_declarator name: (identifier) @name) @definition.constant))
(export_statement
  declaration: (variable_declaration (variable_declarator name: (identifier) @name) @definition.constant))
(ambient_declaration (lexical_declaration (variable_declarator name: (identifier) @name) @definition.constant))
(ambient_declaration (variable_declaration (variable_declarator name: (identifier) @name) @definition.constant))

; References
(type_identifier) @reference
(call_expression function: (identifier) @reference)
(member_expression object: (identifier) @reference)
(member_expression property: (property_identifier) @reference)
(new_expression constructor: (identifier) @reference)
(extends_clause value: (identifier) @reference)
(arguments (identifier) @reference)
(decorator (identifier) @reference)
(shorthand_property_identifier) @reference
(pair value: (identifier) @reference)
(type_query (identifier) @reference)
(import_clause (identifier) @reference)
(import_specifier name: (identifier) @reference)
(export_specifier name: (identifier) @reference)

; Imports
(import_statement source: (string (string_fragment) @import))
(import_require_clause source: (string (string_fragment) @import))
(export_statement source: (string (string_fragment) @import))
(call_expression
  function: (identifier) @import.function
  arguments: (arguments . (string (string_fragment) @import))
  (#eq? @import.function "require"))
(call_expression
  function: (import)
  arguments: (arguments . (string (string_fragment) @import)))

; What can be named from outside
(export_statement declaration: (_)) @exported
(export_statement value: (identifier) @export.name)
(export_statement "=" (identifier) @export.name)
(export_statement (export_clause (export_specifier name: (identifier) @export.name)) !source)
(assignment_expression
  left: (member_expression object: (identifier) @export.object)
  right: (identifier) @export.name
  (#any-of? @export.object "module" "exports"))
