; Definitions
(function_definition name: (word) @name) @definition.function

; References
(command_name (word) @reference)
(simple_expansion (variable_name) @reference)
(expansion (variable_name) @reference)

; Imports
(command
  name: (command_name (word) @import.command)
  .
  argument: (_) @import
  (#any-of? @import.command "source" "."))

; Once
(program (variable_assignment name: (variable_name) @name) @definition.variable)
(program (declaration_command (variable_assignment name: (variable_name) @name) @definition.variable))
