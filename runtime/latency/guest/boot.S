/* From the BIOS to C. Sector 0 is loaded by the BIOS at 0x7c00; it reads the rest of the image to 0x8000 and jumps
 * there. Page 0x8000 is also where the start-up IPI sends the other vCPUs, so every vCPU takes the same way into
 * 32-bit code and draws a ticket: the first becomes the one that leads. */

    .code16
    .section .boot, "ax"
    .globl boot_start
boot_start:
    ljmp $0, $1f
1:  cli
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $0x7c00, %sp
    sti
    movw $0x2401, %ax           /* A20 by the BIOS, then by the fast gate */
    pushw %dx
    int $0x15
    popw %dx
    inb $0x92, %al
    orb $2, %al
    andb $0xfe, %al
    outb %al, $0x92
    movw $5, %bp                /* disks may report a change once after reset */
2:  movb $0x42, %ah             /* extended read: logical blocks, no geometry */
    movw $read_request, %si
    int $0x13
    jnc 3f
    decw %bp
    jnz 2b
    movw $message, %si
    jmp fail
3:  cli
    ljmp $0x0800, $0

fail:                           /* on the screen and on the serial port */
    lodsb
    testb %al, %al
    jz 5f
    movb %al, %cl
    movb $0x0e, %ah
    movw $7, %bx
    int $0x10
4:  movw $0x3fd, %dx
    inb %dx, %al
    testb $0x20, %al
    jz 4b
    movb %cl, %al
    movw $0x3f8, %dx
    outb %al, %dx
    jmp fail
5:  hlt
    jmp 5b

message:
    .asciz "rtvmd probe: cannot read the boot disk\r\n"

    .balign 4
read_request:
    .byte 16, 0
    .word payload_sectors
    .word 0x8000, 0             /* offset, segment */
    .quad 1                     /* first block */

    .org 0x1a0                  /* struct probe_parameters */
    .globl boot_parameters
boot_parameters:
    .long 0x50565452, 5000, 0, 1000, 0, 0
    .org 510
    .word 0xaa55

    .section .entry, "ax"
    .globl entry
entry:                          /* CS = 0x0800 */
    cli
    xorw %ax, %ax
    movw %ax, %ds
    lgdtl gdt_pointer
    movl %cr0, %eax
    andl $0x9fffffff, %eax      /* caches on: a vCPU comes out of INIT with them off */
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $8, $entry32

    .code32
entry32:
    movw $16, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw %ax, %fs
    movw %ax, %gs
    movl $1, %eax
    lock xaddl %eax, ticket
    movl %eax, %ecx
    incl %ecx
    shll $12, %ecx              /* 4 KiB of stack each */
    leal stacks(%ecx), %esp
    testl %eax, %eax
    jnz 6f
    cld
    movl $bss_start, %edi       /* after a reset memory is not clean */
    movl $bss_end, %ecx
    subl %edi, %ecx
    xorl %eax, %eax
    rep stosb
    call probe_lead
6:  call probe_follow
7:  cli
    hlt
    jmp 7b

    .balign 8
gdt:
    .quad 0
    .quad 0x00cf9a000000ffff    /* code: 0 to 4 GiB */
    .quad 0x00cf92000000ffff    /* data: the same */
gdt_pointer:
    .word . - gdt - 1
    .long gdt

    .data
    .balign 4
ticket:
    .long 0

    .section .stacks, "aw", @nobits
    .balign 16
stacks:
    .skip 4096 * (512 + 1)

    .section .note.GNU-stack, "", @progbits
